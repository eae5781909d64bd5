internal import ContentDistribution
internal import EngineCore
internal import FunctionCatalog
internal import InvocationRouting
internal import NIOPosix
internal import RegionForwarding

/// What brings code to regions, and from them.
extension Engine {
    /// `nil` when this node has no regions.
    func replicator(_ regions: RegionDirectory?, _ catalog: Catalog, _ bundles: BundleStore, _ threads: NIOThreadPool) -> Replicator? {
        guard let regions else { return nil }
        return Replicator(
            regions: regions, configuration: configuration.replication,
            store: Replicator.Store(
                versions: { catalog.allVersions() }, hasCode: { bundles.contains($0) },
                restore: { (digest) async throws(InvocationError) in
                    try await Self.blocking(.codeUnavailable, on: threads) { try bundles.restore(digest) }
                },
                keep: { (package, digest) async throws(InvocationError) in
                    try await Self.blocking(.codeUnavailable, on: threads) { _ = try bundles.add(package, expecting: digest) }
                }), logger: logger)
    }

    static func codePresence(_ bundles: BundleStore, _ replicator: Replicator?, _ stale: StaleVersions) -> CodePresence {
        CodePresence(
            isHere: { bundles.contains($0.codeDigest) }, want: { replicator?.want($0) }, stale: { stale.version(for: $0) },
            forwarded: { replicator?.forwarded($0) })
    }

    /// Has the peers told of what they have sent before this process began, as far as its code is here. Blocking.
    static func tellHeld(_ catalog: Catalog, _ bundles: BundleStore, _ feed: ReportFeed) throws {
        let held = try catalog.heldVersions().lazy.filter { bundles.contains($0.codeDigest) }.prefix(feed.limits.rowsMax)
        feed.hold(held.reversed().map { VersionIdentity(function: $0.key, version: $0.version, revision: $0.revision) })
    }
}
