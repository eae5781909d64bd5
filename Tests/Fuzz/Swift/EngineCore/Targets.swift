let targets = [FuzzTarget(name: "egress_policy", run: fuzzEgressPolicy)]
