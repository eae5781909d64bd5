import EngineCore
import FunctionCatalog
import HTTPTypes

extension LambdaResponder {
    /// GetFunction: the configuration, a link to the package, the tags and what is reserved.
    func getFunction(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let (entry, qualifier) = try entry(call)
            let tags = try reading(entry.key) { (catalog) throws(CatalogError) in try catalog.tags(entry.key) }
            let expiry = Int64(services.clock.epochSeconds()) + Int64(limits.codeLinkSeconds)
            let asked = "\(configuration.tls == nil ? "http" : "https")://\(call.head.authority ?? "localhost")"
            let location = (configuration.publicURL ?? asked) + codeLinks.path(entry.code.digest, expiry: expiry)
            return .json { json in
                json.member("Configuration") { FunctionConfigurationAnswer(entry: entry, qualifier: qualifier).write(to: &$0) }
                json.member("Code") { code in
                    code.member("RepositoryType", "S3")
                    code.member("Location", location)
                }
                if qualifier == nil, !tags.isEmpty { json.member("Tags", map: tags) }
                if let reserved = services.catalog.reservedConcurrency(of: entry.key) {
                    json.member("Concurrency") { $0.member("ReservedConcurrentExecutions", reserved) }
                }
            }
        }
    }

    /// GetFunctionConfiguration.
    func getFunctionConfiguration(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let (entry, qualifier) = try entry(call)
            let holders = (try? services.catalog.pinned(entry.key, entry.version)).map { services.holders($0) } ?? []
            return .json { FunctionConfigurationAnswer(entry: entry, qualifier: qualifier, regions: holders).write(to: &$0) }
        }
    }

    /// GetFunctionCodeSigningConfig: there is none, but deployment tools read it of every function.
    func getFunctionCodeSigningConfig(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let (entry, _) = try entry(call)
            return .json { $0.member("FunctionName", entry.key.name) }
        }
    }

    /// ListTags of a function.
    func listTags(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let reference = try FunctionReference(call.resource, maximumLength: 256)
            guard reference.qualifier == nil else {
                throw LambdaError(
                    .invalidParameterValue, "Tags on function aliases and versions are not supported. Please specify a function ARN.")
            }
            let key = try call.key(reference)
            let tags = try reading(key) { (catalog) throws(CatalogError) in try catalog.tags(key) }
            return .json { $0.member("Tags", map: tags) }
        }
    }

    /// The version that path and query name, with the qualifier as given. Blocks.
    private func entry(_ call: LambdaCall) throws(LambdaError) -> (entry: FunctionEntry, qualifier: String?) {
        let reference = try call.reference()
        let key = try call.key(reference)
        let version = try version(key, reference.qualifier)
        let entry = try reading(key, qualifier: reference.qualifier) { (catalog) throws(CatalogError) in try catalog.entry(key, version) }
        return (entry, reference.qualifier)
    }
}
