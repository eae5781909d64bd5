import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// CreateFunction. Checks in AWS's order: the request, then the name, then the code.
    func createFunction(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let (key, settings, tags, publish, package) = try await blocking.run { [self] () throws(LambdaError) in
            let request = try RequestObject(call.body)
            guard let name = try request.string("FunctionName") else { throw .missing("functionName") }
            let reference = try FunctionReference(name)
            guard reference.qualifier == nil else { throw .qualifierNotPermitted }
            let key = try call.key(reference)
            let settings = try FunctionSettingsRequest(request, isNew: true, runtimes: services.runtimes, limits: limits).new
            let tags = try request.map("Tags") ?? [:]
            var validator = ConstraintValidator()
            validator.tags(tags)
            try validator.finish()
            guard tags.count <= limits.tags else { throw LambdaError(.invalidParameterValue, "Number of tags exceeds resource tag limit.") }
            let publish = try request.boolean("Publish") ?? false
            guard let code = try request.object("Code") else { throw .missing("code") }
            if (try? services.catalog.entry(key, .latest)) != nil { throw .functionExists(name: key.name) }
            return (key, settings, tags, publish, try DeploymentPackage(code, limits: limits))
        }
        let entry = try await deploying(package, to: key) { (catalog, code, revisions, _) throws(CatalogError) in
            try catalog.create(key, settings: settings, code: code, tags: tags, publish: publish, revisions: revisions)
        }
        return .configuration(entry, qualifier: nil, status: 201)
    }
}
