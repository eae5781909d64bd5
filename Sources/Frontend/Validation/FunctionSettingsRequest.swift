import FunctionCatalog

/// The settings of a function as CreateFunction and UpdateFunctionConfiguration send them. What is absent stays as it is.
struct FunctionSettingsRequest: Sendable {
    let runtime, handler, role, description, architecture: String?
    let timeoutSeconds, memoryMebibytes, temporaryStorageMebibytes: Int?
    let environment: [String: String]?
    let sandbox: SandboxSettingsRequest

    /// Reads and checks.
    /// - Throws: `ValidationException` for what breaks the service model, with every violation; `InvalidParameterValueException`
    ///   for an unknown runtime, for variables, for the sandbox, and for what this engine cannot do.
    init(
        _ request: RequestObject, isNew: Bool, runtimes: [KnownRuntime], limits: LambdaLimits
    ) throws(LambdaError) {
        runtime = try request.string("Runtime")
        handler = try request.string("Handler")
        role = try request.string("Role")
        description = try request.string("Description")
        timeoutSeconds = try request.integer("Timeout")
        memoryMebibytes = try request.integer("MemorySize")
        temporaryStorageMebibytes = try request.object("EphemeralStorage")?.integer("Size")
        let variables = try request.object("Environment")
        environment = try variables.map { (variables) throws(LambdaError) in try variables.map("Variables") ?? [:] }
        let architectures = try request.strings("Architectures")
        architecture = architectures?.first
        sandbox = try SandboxSettingsRequest(request)
        try checkConstraints(architectures: architectures, isNew: isNew)
        try UnsupportedMembers.check(request)
        try HostArchitecture.check(architecture)
        if let runtime, !runtimes.contains(where: { $0.identifier == runtime }) {
            let known = runtimes.map(\.identifier).joined(separator: ", ")
            throw LambdaError(
                .invalidParameterValue,
                "Value \(runtime) at 'runtime' failed to satisfy constraint: "
                    + "Member must satisfy enum value set: [\(known)] or be a valid ARN")
        }
        if isNew {
            let needsHandler = runtimes.first { $0.identifier == runtime }?.needsHandler ?? true
            guard runtime != nil, handler != nil || !needsHandler else {
                throw LambdaError(
                    .invalidParameterValue,
                    "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
            }
        }
        if let environment { try EnvironmentRules.check(environment, limits: limits) }
    }

    /// - Precondition: the request was checked as a new one, so that runtime and role are there.
    var new: FunctionSettings {
        var settings = FunctionSettings(runtime: runtime ?? "", handler: handler ?? "", role: role ?? "")
        settings.architecture = HostArchitecture.name
        apply(to: &settings)
        return settings
    }

    func apply(to settings: inout FunctionSettings) {
        if let runtime { settings.runtime = runtime }
        if let handler { settings.handler = handler }
        if let role { settings.role = role }
        if let description { settings.description = description }
        if let timeoutSeconds { settings.timeoutSeconds = timeoutSeconds }
        if let memoryMebibytes { settings.memoryMebibytes = memoryMebibytes }
        if let temporaryStorageMebibytes { settings.temporaryStorageMebibytes = temporaryStorageMebibytes }
        if let environment { settings.environment = environment }
        if let architecture { settings.architecture = architecture }
        sandbox.apply(to: &settings)
    }

    private func checkConstraints(architectures: [String]?, isNew: Bool) throws(LambdaError) {
        var validator = ConstraintValidator()
        if isNew { validator.notNull(role, at: "role") }
        validator.pattern(role, at: "role", .role)
        if let handler, !handler.isEmpty {
            validator.pattern(handler, at: "handler", .handler)
            validator.length(handler, at: "handler", in: 0...128)
        }
        validator.length(description, at: "description", in: 0...256)
        validator.value(timeoutSeconds, at: "timeout", in: 1...900)
        validator.value(memoryMebibytes, at: "memorySize", in: 128...10240)
        validator.value(temporaryStorageMebibytes, at: "ephemeralStorage.size", in: 512...10240)
        validator.architectures(architectures)
        if let environment, !environment.keys.allSatisfy(EnvironmentRules.isName) {
            validator.mapKeys(environment, at: "environment.variables", #"[a-zA-Z]([a-zA-Z0-9_])+"#)
        }
        try validator.finish()
    }
}
