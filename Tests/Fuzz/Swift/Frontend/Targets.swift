let targets = [FuzzTarget(name: "json", run: fuzzJSON)]
