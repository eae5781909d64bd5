import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// DeleteFunction: one version, or the function with all of them.
    func deleteFunction(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let reference = try call.reference()
            let key = try call.key(reference)
            let version: FunctionVersion? = if let qualifier = reference.qualifier { try self.version(key, qualifier) } else { nil }
            try changing(key) { (catalog, change) throws(LambdaError) in
                do throws(CatalogError) {
                    let old = if let version { [try catalog.pinned(key, version)] } else { try Self.allVersions(key, catalog) }
                    change = FunctionChange(superseded: old, unreferenced: try catalog.delete(key, version: version))
                } catch {
                    throw LambdaError(error, key, qualifier: reference.qualifier)
                }
            }
            return .noContent
        }
    }

    private static func allVersions(_ key: FunctionKey, _ catalog: Catalog) throws(CatalogError) -> [PinnedVersion] {
        var versions: [PinnedVersion] = []
        var marker: String?
        repeat {
            let page = try catalog.versions(key, after: marker, limit: 1000)
            for entry in page.entries { versions.append(try catalog.pinned(key, entry.version)) }
            marker = page.next
        } while marker != nil
        return versions
    }
}
