public import EngineCore
import Synchronization

extension Catalog {
    /// Tries a change without making it. Blocking, as the change itself is.
    ///
    /// - Parameters:
    ///   - revisions: those that the change is given, here and when it is made.
    ///   - change: is handed a catalog that only it sees. It may change that once: nothing is kept.
    /// - Returns: the versions that the change would make or answer, `$LATEST` first.
    /// - Throws: what the change throws.
    public func rehearse<Failure: Error>(
        _ revisions: ChangeRevisions, _ change: (Catalog) throws(Failure) -> FunctionEntry
    ) throws(Failure) -> [PinnedVersion] {
        let stage = Catalog(rehearsing: self)
        let answer = try change(stage)
        let versions = stage.functions.withLock { $0.functions[answer.key] ?? [:] }
        return versions.values.filter {
            $0.version == answer.version || $0.revision == revisions.latest || $0.revision == revisions.published
        }.sorted { $0.version < $1.version }
    }
}
