import EngineCore

/// The revisions that one change gives to the versions it makes, known before it is made.
///
/// So a change can be tried with ``Catalog/rehearse(_:_:)``, what it would make be sent to other nodes, and then be made with the same
/// revisions, unless something else was changed meanwhile.
public struct ChangeRevisions: Hashable, Sendable {
    /// The revision that `$LATEST` must still have; `nil`: any.
    public var base: String?
    /// Of the new `$LATEST`, and of the version published from it.
    let latest = Catalog.newRevision()
    let published = Catalog.newRevision()

    public init() {}

    /// - Throws: `changedMeanwhile`.
    func check(_ entry: FunctionEntry) throws(CatalogError) {
        guard let base, base != entry.revision else { return }
        throw CatalogError(.changedMeanwhile, "\(entry.key.arn) was changed by somebody else at the same time. Repeat the change.")
    }
}
