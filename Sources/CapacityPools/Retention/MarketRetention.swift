public import Placement

/// The ``CapacityMarket`` as the pool's policy.
///
/// The market knows functions, not containers: of a function's idle ones the longest idle goes first. A container in which calls have
/// left state is different, for it is used by the calls that want that state, and costs more to lose. So it is an entry of its own in
/// the market as long as it lives, with its own habit and its own worth: the function's start and the time to gather the state again.
public struct MarketRetention: RetentionPolicy {
    /// Who an entry of the market stands for.
    private enum Owner {
        case function(FunctionIndex)
        case container(ContainerID)
    }

    /// Mebibytes of state from which on a container is an entry of its own: less is what any call leaves.
    public static let stateMin = 0.5

    public var rule: KeepAliveRule
    private var market: CapacityMarket
    /// By function.
    private var entries: [CapacityMarket.Entry] = []
    /// By entry.
    private var owners: [Owner] = []
    /// The entries of containers with state.
    private var stateful: [ContainerID: CapacityMarket.Entry] = [:]

    public init(configuration: CapacityMarket.Configuration, rule: KeepAliveRule, seed: UInt64) {
        market = CapacityMarket(configuration: configuration, seed: seed)
        self.rule = rule
    }

    public var pricePerMebibyteSecond: Double? { market.pricePerMebibyteSecond }

    private mutating func add(_ owner: Owner, _ costs: RetentionCosts) -> CapacityMarket.Entry {
        let entry = market.add(costs)
        if entry == owners.count { owners.append(owner) } else { owners[entry] = owner }
        return entry
    }

    // MARK: Functions

    public mutating func functionAdded(_ function: FunctionIndex, costs: RetentionCosts) {
        let entry = add(.function(function), costs)
        while entries.count <= function { entries.append(entry) }
        entries[function] = entry
    }

    public mutating func costsChanged(_ function: FunctionIndex, to costs: RetentionCosts) {
        market.setCosts(of: entries[function], to: costs)
    }

    public mutating func functionForgotten(_ function: FunctionIndex) { market.forget(entries[function]) }

    public mutating func capacityChanged(to mebibytes: Double) { market.capacity = mebibytes }

    // MARK: Calls

    public mutating func callArrived(_ function: FunctionIndex, free: Double, now: Double) {
        market.arrived(entries[function], free: free, now: now)
    }

    public mutating func callBegan(_ function: FunctionIndex) { market.began(entries[function]) }

    public mutating func callWithdrawn(_ function: FunctionIndex) { market.withdrawn(entries[function]) }

    public mutating func callEnded(_ function: FunctionIndex, ran: Double?, elsewhere: Bool, now: Double) {
        if let ran { market.measured(entries[function], duration: ran, elsewhere: elsewhere) }
        market.ended(entries[function], now: now)
    }

    // MARK: Containers

    public mutating func containerStarts(_ container: ContainerID, of function: FunctionIndex, now: Double) {
        market.containerStarts(entries[function])
    }

    public mutating func containerIsBusy(_ container: ContainerID, of function: FunctionIndex) {
        market.containerIsBusy(entries[function])
    }

    public mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double) {
        guard let own = ownEntry(container) else { return market.containerTaken(entries[function]) }
        market.resumed(own, now: now)
        market.containerTaken(own)
    }

    public mutating func containerIsIdle(
        _ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double
    ) {
        if let own = ownEntry(container) ?? separate(container, of: function, wasBusy: wasBusy, state: state) {
            var costs = market.costs(of: entries[function])
            costs.coldStart += rule.rebuild(state: state)
            market.setCosts(of: own, to: costs)
            market.ended(own, now: now)
            market.containerIsIdle(own, wasBusy: true)
        } else {
            market.containerIsIdle(entries[function], wasBusy: wasBusy)
        }
    }

    public mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double) {
        guard let own = ownEntry(container) else {
            switch was {
            case .idle: market.idleContainerEnded(entries[function], now: now)
            case .busy, .starting: market.containerEnded(entries[function], wasBusy: was == .busy)
            }
            return
        }
        if was == .idle {
            market.idleContainerEnded(own, now: now)
        } else {
            market.ended(own, now: now)
            market.containerEnded(own, wasBusy: true)
        }
        market.forget(own)
        stateful[container] = nil
    }

    @inline(__always)
    private func ownEntry(_ container: ContainerID) -> CapacityMarket.Entry? { stateful.isEmpty ? nil : stateful[container] }

    /// Takes a container with state out of its function's, as a busy one with a call of its own under way.
    private mutating func separate(
        _ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double
    ) -> CapacityMarket.Entry? {
        guard state >= Self.stateMin, wasBusy else { return nil }
        market.containerEnded(entries[function], wasBusy: true)
        let own = add(.container(container), market.costs(of: entries[function]))
        market.containerStarts(own)
        market.containerIsBusy(own)
        market.began(own)
        stateful[container] = own
        return own
    }

    // MARK: Questions

    public func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double {
        rule.seconds(coldStart: market.costs(of: entries[function]).coldStart, state: state)
    }

    public mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]? {
        market.makeRoom(CapacityMarket.Missing(memory: memory, slots: slots), gain: gain, now: now).map(victims)
    }

    public func usesIdle(_ function: FunctionIndex) -> Bool { market.usesIdle(entries[function]) }

    public mutating func decideMiss(
        _ function: FunctionIndex, missing: CapacityMarket.Missing, makesRoom: Bool, isSetAside: Bool, now: Double
    ) -> RetentionDecision {
        let decision = market.decideMiss(
            entries[function], missing: missing, makesRoom: makesRoom, isSetAside: isSetAside, now: now)
        return RetentionDecision(decision.choice, worth: decision.worth, gain: decision.gain, victims: victims(decision.victims))
    }

    public func runTimes(_ function: FunctionIndex) -> (here: Double?, there: Double?) { market.runTimes(of: entries[function]) }

    public var nextPrewarming: Double? { market.nextPrewarming }

    public mutating func takeDuePrewarming(free: Double, slots: Int, now: Double) -> RetentionPrewarming? {
        while let due = market.takeDuePrewarming(free: free, slots: slots, now: now) {
            // A container with state cannot be made ahead: what it held is gone.
            if case .function(let function) = owners[due.entry] { return RetentionPrewarming(function, victims: victims(due.victims)) }
        }
        return nil
    }

    private func victims(_ entries: [CapacityMarket.Entry]) -> [RetentionVictim] {
        entries.map { entry in
            switch owners[entry] {
            case .function(let function): .leastRecent(of: function)
            case .container(let container): .container(container)
            }
        }
    }
}
