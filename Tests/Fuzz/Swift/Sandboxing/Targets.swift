let targets = [
    FuzzTarget(name: "frames", run: fuzzFrames),
    FuzzTarget(name: "launcher_messages", run: fuzzLauncherMessages),
    FuzzTarget(name: "runtime_api", run: fuzzRuntimeAPI),
]
