import AsyncHTTPClient
import EngineCore
import Logging
import Synchronization

/// The connections to one region that were made with one certificate of this node: one HTTP/2 connection by each client.
final class RegionConnections: Sendable {
    /// Of the node's identity.
    let generation: UInt64
    let madeAt: EngineInstant
    let clients: [HTTPClient]
    let slots: StreamSlots

    init(generation: UInt64, madeAt: EngineInstant, clients: [HTTPClient], streamsPerConnection: Int) {
        self.generation = generation
        self.madeAt = madeAt
        self.clients = clients
        slots = StreamSlots(connections: clients.count, perConnection: streamsPerConnection)
    }
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

    var retiredCount: Int { retired.count }

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
        let ended = retired.filter { $0.until <= now || isIdle($0.connections) }.map(\.connections)
        retired.removeAll { $0.until <= now || isIdle($0.connections) }
        return ended
    }

    /// All there are.
    var all: [Connections] { [current] + retired.map(\.connections) }
}

extension RegionClient {
    /// Room for one stream, to be given back with ``release(_:)``.
    struct Slot {
        fileprivate let connections: RegionConnections
        fileprivate let number: Int
        var client: HTTPClient { connections.clients[number] }
    }

    /// - Returns: `nil` when all connections are full.
    func acquire(now: EngineInstant = .now()) -> Slot? {
        connections.withLock { connections in
            let generation = identity.generation
            let current = connections.current
            if current.generation != generation || now - current.madeAt >= configuration.connectionAgeMax {
                connections.renew(until: now + configuration.retirementMax, retiredMax: configuration.retiredConnectionsMax) {
                    makeConnections(generation, now)
                }
            }
            let used = connections.current
            return used.slots.acquire().map { Slot(connections: used, number: $0) }
        }
    }

    func release(_ slot: Slot) { slot.connections.slots.release(slot.number) }

    /// Whether a stream is on connections that new calls no longer go on.
    func isRetired(_ slot: Slot) -> Bool { connections.withLock { $0.current !== slot.connections } }

    /// Closes retired connections that have ended or must.
    func closeRetired(now: EngineInstant = .now()) async {
        let ended = connections.withLock { $0.takeEnded(now: now) { $0.slots.usedCount == 0 } }
        for connections in ended { await close(connections) }
    }

    /// Closes the connections; calls under way fail. Must be called once, and last.
    public func shutdown() async {
        for connections in connections.withLock({ $0.all }) { await close(connections) }
    }

    private func close(_ connections: RegionConnections) async {
        for client in connections.clients {
            do {
                try await client.shutdown()
            } catch {
                logger.debug("A connection was not closed in order.", metadata: ["error": "\(error)"])
            }
        }
    }
}
