import EngineCore
import Synchronization

/// The connections to one region that were made with one certificate of this node.
final class RegionConnections: Sendable {
    /// Of the node's identity.
    let generation: UInt64
    let madeAt: EngineInstant
    let transport: PeerTransport
    private let exchanges = Atomic(0)

    init(generation: UInt64, madeAt: EngineInstant, transport: PeerTransport) {
        self.generation = generation
        self.madeAt = madeAt
        self.transport = transport
    }

    fileprivate func retain() { exchanges.add(1, ordering: .relaxed) }

    /// The exchange that they were acquired for is over.
    func release() { exchanges.subtract(1, ordering: .relaxed) }

    var isIdle: Bool { exchanges.load(ordering: .relaxed) == 0 }
}

/// Which connections to a region new calls go on, and which only end.
///
/// ```
///          a new certificate, or too old                 without a call, or R has passed
/// current ───────────────────────────────► retired (R) ──────────────────────────────────► closed
/// ```
///
/// So a certificate is replaced without a call noticing: what is under way ends where it began. Old connections are bounded in
/// number; beyond it no further ones are made, and calls stay on those there are, until one of the retired has ended.
struct ConnectionGenerations<Connections> {
    private(set) var current: Connections
    private var retired: [(connections: Connections, until: EngineInstant)] = []

    init(_ current: Connections) { self.current = current }

    /// - Parameters:
    ///   - until: when the present ones end at the latest.
    ///   - retiredMax: how many there may be that only end.
    mutating func renew(until: EngineInstant, retiredMax: Int, _ make: () -> Connections) {
        guard retired.count < retiredMax else { return }
        retired.append((current, until))
        current = make()
    }

    /// Those that are to be closed now. O(retired).
    mutating func takeEnded(now: EngineInstant, isIdle: (Connections) -> Bool) -> [Connections] {
        // Asked once, for calls end meanwhile.
        let last = retired.partition { $0.until <= now || isIdle($0.connections) }
        defer { retired.removeSubrange(last...) }
        return retired[last...].map(\.connections)
    }

    /// All there are.
    var all: [Connections] { [current] + retired.map(\.connections) }
}

extension RegionClient {
    /// The connections for one exchange, to be given back with `release()`.
    func acquire(now: EngineInstant = .now()) -> RegionConnections {
        connections.withLock { connections in
            let generation = identity.generation
            let current = connections.current
            if current.generation != generation || now - current.madeAt >= configuration.connectionAgeMax {
                connections.renew(until: now + configuration.retirementMax, retiredMax: configuration.retiredConnectionsMax) {
                    makeConnections(generation, now)
                }
            }
            connections.current.retain()
            return connections.current
        }
    }

    /// Whether new calls no longer go on these connections.
    func isRetired(_ used: RegionConnections) -> Bool { connections.withLock { $0.current !== used } }

    /// Closes retired connections that have ended or must.
    func closeRetired(now: EngineInstant = .now()) async {
        let ended = connections.withLock { $0.takeEnded(now: now) { $0.isIdle } }
        for connections in ended { await connections.transport.close() }
    }

    /// Closes the connections; calls under way fail. Must be called once, and last.
    public func shutdown() async {
        for connections in connections.withLock({ $0.all }) { await connections.transport.close() }
    }
}
