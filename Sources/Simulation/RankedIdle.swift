internal import CapacityPools
internal import Placement

/// Idle containers by rank, the lowest first: a lazily cleaned heap, for policies that rank a container once to an idle period.
struct RankedIdle: Sendable {
    private struct Standing: Sendable {
        let period: UInt64
        let rank: Double
        let memory: Double
    }

    private var heap = EventQueue<(container: ContainerID, period: UInt64)>()
    private var standings: [ContainerID: Standing] = [:]
    private var lastPeriod: UInt64 = 0

    mutating func add(_ container: ContainerID, rank: Double, memory: Double) {
        lastPeriod += 1
        standings[container] = Standing(period: lastPeriod, rank: rank, memory: memory)
        heap.add((container, lastPeriod), at: rank)
        guard heap.count > 4 * standings.count + 1024 else { return }
        let current = standings
        heap.keepOnly { current[$0.container]?.period == $0.period }
    }

    /// - Returns: its rank, if it was idle.
    @discardableResult
    mutating func remove(_ container: ContainerID) -> Double? { standings.removeValue(forKey: container)?.rank }

    /// The lowest ones that make room. They are expected to be removed.
    /// - Returns: `nil` when all together are not enough.
    mutating func lowest(memory: Double, slots: Int) -> [ContainerID]? {
        var missing = memory
        var found: [(at: Double, event: (container: ContainerID, period: UInt64))] = []
        while missing > 0 || found.count < slots {
            guard let next = heap.takeFirst() else {
                for entry in found { heap.add(entry.event, at: entry.at) }
                return nil
            }
            guard let standing = standings[next.event.container], standing.period == next.event.period else { continue }
            missing -= standing.memory
            found.append(next)
        }
        return found.map(\.event.container)
    }
}
