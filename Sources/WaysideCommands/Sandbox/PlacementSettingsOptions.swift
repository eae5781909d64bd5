internal import ArgumentParser

/// What a deployment says of where and how often calls may run. What is not given stays as it is.
struct PlacementSettingsOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "A call may be run again when it is not known whether it ran. A new function's may not.")
    var idempotent: Bool?

    @Flag(inversion: .prefixedNo, help: "An older version may serve while the newest is not at hand. A new function's may not.")
    var serveStale: Bool?

    @Option(help: ArgumentHelp("How much callers mind waiting: high, normal or low.", valueName: "sensitivity"))
    var latency: String?

    /// Members of the member `Wayside` of the request.
    var members: [String: Any] {
        var members: [String: Any] = [:]
        if let idempotent { members["Idempotent"] = idempotent }
        if let serveStale { members["ServeStale"] = serveStale }
        if let latency { members["Latency"] = latency }
        return members
    }
}
