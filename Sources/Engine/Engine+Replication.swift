internal import ContentDistribution
internal import EngineCore
internal import FunctionCatalog
internal import InvocationRouting
internal import Logging
internal import NIOPosix
internal import RegionForwarding

/// What brings code to regions, and from them.
extension Engine {
    /// Between two looks for held versions that nobody uses, and how many of them one look drops.
    private static let releaseIntervalMax = Duration.seconds(3600)
    private static let releasedAtOnceMax = 1024

    /// `nil` when this node has no regions.
    func replicator(_ regions: RegionDirectory?, _ catalog: Catalog, _ bundles: BundleStore, _ threads: NIOThreadPool) -> Replicator? {
        guard let regions else { return nil }
        return Replicator(
            regions: regions, configuration: configuration.replication,
            store: Replicator.Store(
                versions: { catalog.allVersions() }, isCurrent: { catalog.isCurrent($0) }, hasCode: { bundles.contains($0) },
                restore: { (digest) async throws(InvocationError) in
                    try await Self.blocking(.codeUnavailable, on: threads) { try bundles.restore(digest) }
                },
                keep: { (package, digest) async throws(InvocationError) in
                    try await Self.blocking(.codeUnavailable, on: threads) { _ = try bundles.add(package, expecting: digest) }
                }), logger: logger)
    }

    static func codePresence(_ seen: SeenBundles, _ replicator: Replicator?, _ stale: StaleVersions) -> CodePresence {
        CodePresence(
            isHere: { seen.contains($0.codeDigest) }, want: { replicator?.want($0) }, stale: { stale.version(for: $0) },
            forwarded: { replicator?.forwarded($0) })
    }

    /// Drops from time to time what other nodes have sent and nobody has called or sent again for long, until cancelled: a node that
    /// ended, or could not reach this one, has not told that it needs it no more.
    func releaseUnused(_ catalog: Catalog, _ feed: ReportFeed, _ sweeper: BundleSweeper) async {
        let heldMax = configuration.replication.heldMax
        while (try? await Task.sleep(for: min(heldMax / 4, Self.releaseIntervalMax))) != nil {
            do throws(InvocationError) {
                let (versions, unreferenced) = try await Self.blocking(.internalFailure) {
                    let now = Catalog.wallClock()
                    return try catalog.releaseUnused(
                        since: now - Double(heldMax.components.seconds), limit: Self.releasedAtOnceMax, now: now)
                }
                for version in versions { feed.drop(revision: version.revision) }
                sweeper.remove(unreferenced)
            } catch {
                logger.warning("held versions that nobody uses cannot be dropped", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Has the peers told of what they have sent before this process began, as far as its code is here. Blocking.
    static func tellHeld(_ catalog: Catalog, _ bundles: BundleStore, _ feed: ReportFeed) throws {
        let held = try catalog.heldVersions().lazy.filter { bundles.contains($0.codeDigest) }.prefix(feed.limits.rowsMax)
        feed.hold(held.reversed().map { VersionIdentity(function: $0.key, version: $0.version, revision: $0.revision) })
    }
}
