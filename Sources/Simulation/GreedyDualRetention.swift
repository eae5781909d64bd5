internal import CapacityPools
internal import Placement

/// Greedy-dual with size and frequency: A. Fuerst, P. Sharma, "FaasCache", ASPLOS 2021.
///
/// A function's frequency counts while it has a container. With regions the cost is what a miss costs there, and nothing is turned away.
struct GreedyDualRetention: RetentionPolicy {
    let hasRegions: Bool
    private var idle = RankedIdle()
    private var clock = 0.0
    private var frequency: [Double] = []
    private var held: [Int] = []
    private var costs: [RetentionCosts] = []

    init(hasRegions: Bool) { self.hasRegions = hasRegions }

    mutating func functionAdded(_ function: FunctionIndex, costs added: RetentionCosts) {
        while costs.count <= function {
            costs.append(added)
            frequency.append(0)
            held.append(0)
        }
        costs[function] = added
    }

    mutating func costsChanged(_ function: FunctionIndex, to changed: RetentionCosts) { costs[function] = changed }

    mutating func callArrived(_ function: FunctionIndex, free: Double, now: Double) { frequency[function] += 1 }

    mutating func containerStarts(_ container: ContainerID, of function: FunctionIndex, now: Double) { held[function] += 1 }

    mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double) { idle.remove(container) }

    mutating func containerIsIdle(_ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double) {
        let costs = costs[function]
        let cost = hasRegions ? min(costs.coldStart, costs.roundTrip) : costs.coldStart
        idle.add(container, rank: clock + frequency[function] * cost / costs.memory, memory: costs.memory)
    }

    mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double) {
        if let rank = idle.remove(container) { clock = max(clock, rank) }
        held[function] -= 1
        if held[function] == 0 { frequency[function] = 0 }
    }

    func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double { .infinity }

    mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]? {
        idle.lowest(memory: memory, slots: slots).map { $0.map { .container($0) } }
    }
}

/// Everything runs in the region.
struct ForwardAllRetention: RetentionPolicy {
    mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double) {}
    mutating func containerIsIdle(_ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double) {}
    mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double) {}
    func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double { 0 }
    mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]? { nil }
    mutating func decideMiss(
        _ function: FunctionIndex, missing: CapacityMarket.Missing, makesRoom: Bool, isSetAside: Bool, now: Double
    ) -> RetentionDecision { RetentionDecision(.forward, worth: .uncommon) }
}
