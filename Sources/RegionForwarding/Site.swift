public import EngineCore

/// This node's site: frontends near one another that share their sticky containers (`peers.site`).
///
/// A sticky call is looked at before it is decided whether it runs here or in a region: if its container is another frontend's, it goes
/// there, and that one runs it. Nothing else is forwarded within a site, and nothing twice.
public final class Site: Sendable {
    /// The ways to the others, and which of them can be reached. Run it as the regions' are.
    public let directory: RegionDirectory
    public let ring: SiteRing
    private let node: String

    /// - Parameters:
    ///   - node: this node's name.
    ///   - directory: the other frontends of the site.
    public init(node: String, directory: RegionDirectory) {
        self.node = node
        self.directory = directory
        ring = SiteRing(nodes: directory.names + [node])
    }

    /// The other frontend to which a call goes; `nil`: it stays here.
    ///
    /// A token's node comes before the value's. If that cannot be reached the value decides, by the next node in its order; the
    /// caller is then told that the container is gone, or new.
    ///
    /// - Parameter excluded: those that have refused this call.
    /// - Complexity: O(nodes of the site).
    public func owner(of request: InvocationRequest, excluding excluded: Set<String>, now: EngineInstant) -> RegionClient? {
        guard case .client = request.origin, let demand = request.affinity else { return nil }
        func reachable(_ name: String) -> RegionClient? {
            guard !excluded.contains(name), let client = directory.client(name), client.isReachable(now: now) else { return nil }
            return client
        }
        if demand.container != nil, let named = demand.node {
            if named == node { return nil }
            if let client = reachable(named) { return client }
        }
        guard let value = demand.value else { return nil }
        let key = SiteRing.Key(function: request.function.key, version: request.function.version, value: value)
        return ring.owner(of: key) { $0 == node || reachable($0) != nil }.flatMap { reachable($0) }
    }
}
