import Synchronization

/// Counts the calls under way on each of a few connections, so that none waits in a queue nobody sees.
///
/// Slots are given on the first connection that has one: one connection carries all as long as it can.
final class StreamSlots: Sendable {
    private let perConnection: Int
    private let used: Mutex<[Int]>

    init(connections: Int, perConnection: Int) {
        self.perConnection = perConnection
        used = Mutex(Array(repeating: 0, count: connections))
    }

    /// - Returns: the connection to use, to be given back with ``release(_:)``; `nil` when all are full. O(connections).
    func acquire() -> Int? {
        used.withLock { used in
            guard let connection = used.firstIndex(where: { $0 < perConnection }) else { return nil }
            used[connection] += 1
            return connection
        }
    }

    func release(_ connection: Int) {
        used.withLock { used in
            precondition(used[connection] > 0, "A slot is released once.")
            used[connection] -= 1
        }
    }

    var usedCount: Int { used.withLock { $0.reduce(0, +) } }
}
