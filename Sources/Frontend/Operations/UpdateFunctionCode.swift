import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// UpdateFunctionCode.
    func updateFunctionCode(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let (key, revision, publish, architecture, package, dryRun) = try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let request = try RequestObject(call.body)
            let revision = try request.string("RevisionId")
            let publish = try request.boolean("Publish") ?? false
            let architecture = try Self.architecture(request)
            let current = try reading(key) { (catalog) throws(CatalogError) in try catalog.entry(key, .latest) }
            if let revision, revision != current.revision { throw .revisionMismatch }
            let package = try DeploymentPackage(request, limits: limits)
            guard try request.boolean("DryRun") ?? false else {
                return (key, revision, publish, architecture, package, LambdaAnswer?.none)
            }
            // Unpacking is the check; what nothing refers to goes again.
            let digest = try keeping(package).digest
            letGo(digest)
            services.functionChanged(FunctionChange(superseded: [], unreferenced: [digest]))
            return (key, revision, publish, architecture, package, .configuration(current, qualifier: nil))
        }
        if let dryRun { return dryRun }
        let entry = try await deploying(package, to: key) { (catalog, code, revisions, change) throws(CatalogError) in
            let old = try catalog.pinned(key, .latest)
            let (entry, unreferenced) = try catalog.updateCode(
                key, code: code, architecture: architecture, expecting: revision, publish: publish, revisions: revisions)
            change = FunctionChange(superseded: [old], unreferenced: unreferenced)
            return entry
        }
        return .configuration(entry, qualifier: publish ? entry.version.description : nil)
    }

    private static func architecture(_ request: RequestObject) throws(LambdaError) -> String? {
        let architectures = try request.strings("Architectures")
        var validator = ConstraintValidator()
        validator.architectures(architectures)
        try validator.finish()
        try HostArchitecture.check(architectures?.first)
        return architectures?.first
    }
}
