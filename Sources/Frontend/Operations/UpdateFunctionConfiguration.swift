import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// UpdateFunctionConfiguration: what is absent stays as it is.
    func updateFunctionConfiguration(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let (key, settings, revision) = try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let request = try RequestObject(call.body)
            let settings = try FunctionSettingsRequest(request, isNew: false, runtimes: services.runtimes, limits: limits)
            return (key, settings, try request.string("RevisionId"))
        }
        let entry = try await making(key) { (catalog, revisions, change) throws(LambdaError) in
            do throws(CatalogError) {
                change = FunctionChange(superseded: [try catalog.pinned(key, .latest)], unreferenced: [])
                return try catalog.updateSettings(key, expecting: revision, revisions: revisions) { settings.apply(to: &$0) }
            } catch {
                throw LambdaError(error, key)
            }
        }
        return .configuration(entry, qualifier: nil)
    }
}
