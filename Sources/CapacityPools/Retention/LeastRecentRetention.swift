internal import DequeModule
public import Placement

/// The longest idle goes first: what a node does that is told not to reckon (`capacity.retention: lru`), and what the market is
/// compared with. Every call runs here if there is room. O(1) amortised.
public struct LeastRecentRetention: RetentionPolicy {
    private struct Idle {
        let container: ContainerID
        /// Counts idle periods, so that an entry of an earlier one is known to be void.
        let period: UInt64
        let memory: Double
    }

    public var rule: KeepAliveRule
    private var costs: [RetentionCosts] = []
    private var order: Deque<Idle> = []
    private var periods: [ContainerID: UInt64] = [:]
    private var lastPeriod: UInt64 = 0

    public init(rule: KeepAliveRule) { self.rule = rule }

    public mutating func functionAdded(_ function: FunctionIndex, costs added: RetentionCosts) {
        while costs.count <= function { costs.append(added) }
        costs[function] = added
    }

    public mutating func costsChanged(_ function: FunctionIndex, to changed: RetentionCosts) { costs[function] = changed }

    public mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double) { periods[container] = nil }

    public mutating func containerIsIdle(
        _ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double
    ) {
        lastPeriod += 1
        periods[container] = lastPeriod
        order.append(Idle(container: container, period: lastPeriod, memory: costs[function].memory))
        // Void entries are dropped now and then, so that the queue follows what is idle.
        if order.count > 2 * periods.count + 64 { order.removeAll { periods[$0.container] != $0.period } }
    }

    public mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double) {
        periods[container] = nil
    }

    public func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double {
        rule.seconds(coldStart: costs[function].coldStart, state: state)
    }

    public mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]? {
        var missing = memory
        var victims: [RetentionVictim] = []
        while let first = order.first, periods[first.container] != first.period { order.removeFirst() }
        for entry in order {
            guard missing > 0 || victims.count < slots else { break }
            guard periods[entry.container] == entry.period else { continue }
            missing -= entry.memory
            victims.append(.container(entry.container))
        }
        return missing > 0 || victims.count < slots ? nil : victims
    }
}
