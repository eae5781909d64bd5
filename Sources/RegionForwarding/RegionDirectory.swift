public import EngineCore
public import Logging
public import NIOCore
import Synchronization

/// The regions this node may forward to, in order of preference, and which of them can be reached.
///
/// They come from the configuration and do not change. ``run()`` keeps what is known of them fresh; without it a region is
/// tried again when its time out has passed.
public final class RegionDirectory: Sendable {
    let order: [RegionClient]
    private let byName: [String: RegionClient]
    let configuration: ForwardingConfiguration

    /// - Parameters:
    ///   - peers: the preferred first.
    ///   - package: supplies packages of this node for regions that lack them.
    /// - Throws: `invalidName` when a name or URL is not one, or two peers have one name.
    public init(
        peers: [RegionPeer], identity: NodeIdentity, configuration: ForwardingConfiguration = .init(),
        group: (any EventLoopGroup)? = nil,
        logger: Logger, package: @escaping RegionClient.Package
    ) throws(ForwardingError) {
        var names: Set<String> = [identity.name]
        for peer in peers where !names.insert(peer.name).inserted {
            throw ForwardingError(.invalidName, "Two nodes have the name \(peer.name). Give each region its own.")
        }
        var order: [RegionClient] = []
        for peer in peers {
            order.append(
                try RegionClient(
                    peer: peer, identity: identity, configuration: configuration, group: group, logger: logger, package: package))
        }
        self.order = order
        self.configuration = configuration
        byName = Dictionary(uniqueKeysWithValues: order.map { ($0.name, $0) })
    }

    /// All regions, the preferred first.
    public var names: [String] { order.map(\.name) }

    /// The regions that can be reached as far as is known, the preferred first. O(regions).
    public func reachableRegions(now: EngineInstant = .now()) -> [String] {
        order.compactMap { $0.isReachable(now: now) ? $0.name : nil }
    }

    /// The way to a region; `nil` when none has this name. O(1).
    public func client(_ name: String) -> RegionClient? { byName[name] }

    /// Asks every region for its health, at once and then at the configured interval, and reads its reports, until the task is
    /// cancelled; then closes all connections. Cancel it when no call is under way any more: one that is fails.
    public func run() async {
        await withTaskGroup { group in
            for client in order {
                group.addTask { await self.watch(client) }
                group.addTask { await client.followReports() }
            }
        }
        await shutdown()
    }

    /// Closes all connections, where ``run()`` is not used.
    public func shutdown() async {
        for client in order { await client.shutdown() }
    }

    private func watch(_ client: RegionClient) async {
        while !Task.isCancelled {
            await client.probe()
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: configuration.probeInterval * Double.random(in: 0.8...1.2))
        }
    }
}
