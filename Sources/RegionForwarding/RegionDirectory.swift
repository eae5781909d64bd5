public import EngineCore
public import Logging
public import NIOCore
import Synchronization

/// The regions this node may forward to, in order of preference, and which of them can be reached.
///
/// They come from the configuration, and ``update(_:)`` takes new ones over while calls go on. ``run()`` keeps what is known of them
/// fresh; without it a region is tried again when its time out has passed.
public final class RegionDirectory: Sendable {
    /// What an update has changed, by name.
    public struct Change: Hashable, Sendable {
        public var added: [String] = []
        public var removed: [String] = []
        /// With another address than before.
        public var moved: [String] = []

        public var isEmpty: Bool { added.isEmpty && removed.isEmpty && moved.isEmpty }
    }

    private struct Table {
        var order: [RegionClient] = []
        var byName: [String: RegionClient] = [:]
        /// Removed, and not yet seen by ``RegionDirectory/run()``, which closes them.
        var departed: [RegionClient] = []
    }

    let configuration: ForwardingConfiguration
    private let table = Mutex(Table())
    private let makeClient: @Sendable (RegionPeer) throws(ForwardingError) -> RegionClient
    private let identity: NodeIdentity
    private let logger: Logger
    private let changes = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - peers: the preferred first.
    ///   - package: supplies packages of this node for regions that lack them.
    /// - Throws: `invalidName` when a name or URL is not one, or two peers have one name.
    public init(
        peers: [RegionPeer], identity: NodeIdentity, configuration: ForwardingConfiguration = .init(),
        group: (any EventLoopGroup)? = nil,
        logger: Logger, package: @escaping RegionClient.Package
    ) throws(ForwardingError) {
        self.configuration = configuration
        self.logger = logger
        self.identity = identity
        makeClient = { (peer) throws(ForwardingError) in
            try RegionClient(peer: peer, identity: identity, configuration: configuration, group: group, logger: logger, package: package)
        }
        _ = try update(peers)
    }

    var order: [RegionClient] { table.withLock { $0.order } }

    /// All regions, the preferred first.
    public var names: [String] { order.map(\.name) }

    /// Whether this node's certificate permits it to forward for the account, and so to bring its versions to regions.
    func mayForward(for account: AccountID) -> Bool { identity.certificate.forwarding.permits(account) }

    public var isEmpty: Bool { table.withLock { $0.order.isEmpty } }

    /// The regions that can be reached as far as is known, the preferred first. O(regions).
    public func reachableRegions(now: EngineInstant = .now()) -> [String] {
        order.compactMap { $0.isReachable(now: now) ? $0.name : nil }
    }

    /// The way to a region; `nil` when none has this name. O(1).
    public func client(_ name: String) -> RegionClient? { table.withLock { $0.byName[name] } }

    /// Takes over which regions there are. A region that stays, with its address, keeps its connections and what is known of it; one
    /// that is no longer there gets no new call, and those under way end.
    ///
    /// - Parameter peers: the preferred first.
    /// - Throws: `invalidName` when a name or URL is not one, or two peers have one name; then nothing has changed.
    public func update(_ peers: [RegionPeer]) throws(ForwardingError) -> Change {
        var names: Set<String> = [identity.name]
        for peer in peers {
            _ = try peer.address()
            guard names.insert(peer.name).inserted else {
                throw ForwardingError(.invalidName, "Two nodes have the name \(peer.name). Give each region its own.")
            }
        }
        let (change, departed) = try table.withLock { (table) throws(ForwardingError) in
            var change = Change()
            var order: [RegionClient] = []
            for peer in peers {
                if let client = table.byName[peer.name], client.peer == peer {
                    order.append(client)
                    continue
                }
                if table.byName[peer.name] == nil { change.added.append(peer.name) } else { change.moved.append(peer.name) }
                order.append(try makeClient(peer))
            }
            change.removed = table.byName.keys.filter { !names.contains($0) }.sorted()
            let departed = table.order.filter { client in !order.contains { $0 === client } }
            table = Table(
                order: order, byName: Dictionary(uniqueKeysWithValues: order.map { ($0.name, $0) }), departed: table.departed + departed)
            return (change, departed)
        }
        for client in departed { client.remove() }
        changes.continuation.yield()
        return change
    }

    /// Asks every region for its health, at once and then at the configured interval, and reads its reports, until the task is
    /// cancelled; then closes all connections. Cancel it when no call is under way any more: one that is fails.
    public func run() async {
        await withDiscardingTaskGroup { group in
            // The first signal is that of the initialiser.
            for await _ in changes.stream {
                let clients = table.withLock { table in
                    defer { table.departed = [] }
                    return table.order + table.departed
                }
                for client in clients where !client.hasBegun { group.addTask { await client.run() } }
            }
        }
        await shutdown()
    }

    /// Closes all connections, where ``run()`` is not used.
    public func shutdown() async {
        let clients = table.withLock { table in table.order + table.departed }
        for client in clients where !client.hasBegun { await client.shutdown() }
    }
}
