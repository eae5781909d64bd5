public import EngineCore
public import Placement

// Where a call is to run, asked of the same policy that keeps containers: for nodes with regions, and for replays.
//
// In front of the policy stands a sketch: it counts all functions, millions of them, in a few bytes each, and what was seen no more than
// `rareCalls` times lately is forwarded without being known by name. Only what is seen more often earns an entry with an exact history,
// of which there are `functionsRemembered`; when they are taken, a newcomer must have been seen at least as often as the entry
// unused for longest, which it replaces. So who calls a million names once, or twice, pushes nobody out.
extension PoolStateMachine {
    /// Decides where a call is to run, and makes room for a start it decides on. To be asked once to a call; whoever goes on with
    /// ``lease(_:now:)`` says there that it is announced.
    ///
    /// - Parameter makesRoom: whether it may be started here at all; otherwise it is only said what it would be worth.
    /// - Complexity: O(1) amortised, plus what the policy looks at when room is short.
    public mutating func decide(_ request: CapacityRequest, makesRoom: Bool = true, now: EngineInstant) -> PoolDecision {
        var decision = PoolDecision()
        guard let kind = known(request.kind, &decision.timesSeen) else {
            decision.choice = .forward
            decision.worth = .uncommon
            return decision
        }
        let function = classes[kind].function
        makeCurrent(kind)
        let coldStart = request.coldStart?.inSeconds ?? expectedStart(kind)
        noteCosts(function, request.kind, coldStart: coldStart, roundTrip: request.roundTrip?.inSeconds, weight: request.weight)
        functions[function].permission = request.permission
        decision.coldStart = coldStart
        (decision.runHere, decision.runThere) = retention.runTimes(function)
        // What is about to come free is free: it has been ended for somebody's sake, and comes before any start.
        let free = freeCommon + Self.mebibytes(areas[Self.common].ending)
        let time = Self.seconds(now)
        retention.callArrived(function, free: free, now: time)
        let ready = waiters.hasAny(of: kind) ? nil : idle(kind, home: request.home)
        if let slot = ready ?? startingAhead(kind, patience: request.patience, now: now) {
            guard !isWorthUsing(slot) else { return decision }
            decision.choice = .forward
            decision.worth = .tooLong
            return decision
        }
        // What is set aside has room, or not: nobody gives way there for what a call is worth.
        let isSetAside = isSetAside(request)
        let missing = CapacityMarket.Missing(
            memory: isSetAside ? 0 : Self.mebibytes(request.kind.memory.bytes) - free,
            slots: isSetAside ? 0 : missingSlots(hasSpare(kind) ? 0 : 1))
        // Nobody gives way to a call that will be throttled.
        let makesRoom = makesRoom && !isAtLimit(kind, request.concurrencyMax)
        let answer = retention.decideMiss(function, missing: missing, makesRoom: makesRoom, isSetAside: isSetAside, now: time)
        for victim in answer.victims { evict(victim, for: kind, now: now, actions: &decision.actions) }
        (decision.choice, decision.worth, decision.gain) = (answer.choice, answer.worth, answer.gain)
        return decision
    }

    /// Whether a container for the call would take nothing from anybody else: its account has memory of its own with room for it, or only
    /// memory of its own. O(fixed and variable sub-pools).
    private func isSetAside(_ request: CapacityRequest) -> Bool {
        let reach = reach(of: request.permission)
        return !reach.sharesCommon || reach.fixed.contains { fits(request.kind.memory.bytes, slots: 1, in: pools[$0].area) }
    }

    /// Containers too many if so many more were started; may be negative.
    func missingSlots(_ more: Int) -> Int { tally.containers - tally.ending + more - configuration.containersMax }

    /// The number of a class that has earned an entry; `nil`: its function is rare.
    private mutating func known(_ kind: ContainerClass, _ timesSeen: inout Int?) -> Int? {
        guard configuration.rareCalls > 0 else { return intern(kind) }
        let scope = AffinityScope(function: kind.function, version: kind.version)
        let seen = sightings.see(scope)
        timesSeen = seen
        if functionIndices[scope] != nil { return intern(kind) }
        guard seen > configuration.rareCalls else { return nil }
        if functionIndices.count >= configuration.functionsRemembered {
            guard !vacant.isEmpty else { return nil }
            let oldest = vacant.first
            if sightings.estimate(functions[oldest].scope) > seen {
                // The next newcomer is compared with another, for this one may be remembered for nothing but its past.
                touch(oldest)
                return nil
            }
        }
        return intern(kind)
    }

    // MARK: What a start takes

    /// Seconds from nothing to the function's first call, by what it would be made from now.
    private func expectedStart(_ kind: Int) -> Double {
        let entry = classes[kind]
        let hasRoom = roomy[RoomKey(account: entry.account, runtime: entry.runtime, group: Self.common)]?.isEmpty == false
        let level: StartPlan.Kind = hasRoom ? .container : hasSpare(kind) ? .instance : .newInstance
        guard let made = startTimes[entry.runtime][level], let initialise = functions[entry.function].initialise else {
            return functions[entry.function].coldStart
        }
        return made + initialise
    }

    /// Whether an instance of the warming pool would be taken for it.
    private func hasSpare(_ kind: Int) -> Bool {
        classes[kind].kind.usesSpares && generalPools[classes[kind].runtime].contains { !pools[$0].ready.isEmpty }
    }

    /// The function's code took so long to load, in a container whose start is reported after this, or whose first call is over.
    public mutating func noteInitialised(_ id: ContainerID, in time: Duration) {
        guard let slot = slots[id], containers[slot].kind >= 0 else { return }
        let function = classes[containers[slot].kind].function
        containers[slot].initialise = time.inSeconds
        functions[function].initialise = StartTimes.moved(functions[function].initialise, to: time.inSeconds)
    }

    /// A container was made, in so many seconds from its plan.
    mutating func noteMade(_ slot: Int, in seconds: Double) {
        let container = containers[slot]
        functions[classes[container.kind].function].hasStarted = true
        guard let level = container.level else { return }
        startTimes[classes[container.kind].runtime].add(max(0, seconds - container.initialise), level)
    }

    // MARK: Calls elsewhere

    /// A call of this class goes to a region. Every one is to be followed by ``forwardedEnded(_:ran:now:)``, or by
    /// ``forwardedWithdrawn(_:)``.
    /// - Returns: the function's number; `nil` if it has no entry.
    public mutating func forwardedBegan(_ kind: ContainerClass, now: EngineInstant) -> FunctionIndex? {
        guard let function = functionIndex(kind) else { return nil }
        callBegan(function)
        return function
    }

    /// A region started a container for a call and took so long: better than nothing, as long as none has been started here.
    public mutating func noteStartElsewhere(_ function: FunctionIndex, took time: Duration) {
        if !functions[function].hasStarted { functions[function].coldStart = time.inSeconds }
    }

    /// How long the runs of a class's function have taken, in seconds; `nil` where none was seen. O(1).
    public func runTimes(_ kind: ContainerClass) -> (here: Double?, there: Double?) {
        functionIndex(kind).map { retention.runTimes($0) } ?? (nil, nil)
    }

    /// What a mebibyte-second of the memory that all share costs now, in seconds of latency. O(1).
    public var pricePerMebibyteSecond: Double? { retention.pricePerMebibyteSecond }

    /// How long a call had better wait for a container that is being started already.
    func patience(of kind: ContainerClass, roundTrip: Duration?) -> Duration? {
        guard let roundTrip, let index = classIndex[kind] else { return roundTrip }
        return min(roundTrip, .seconds(expectedStart(index)))
    }

    /// Seconds since the origin of the clock at which a container is to be started ahead of its call; `nil`: none is planned. O(1).
    public var nextPrewarming: Double? { retention.nextPrewarming }

    /// Mebibyte-seconds that everything here has held so far, from the ledger. O(1).
    public func memoryTime(now: EngineInstant) -> Double { Double(ledger.total(now: now).byteNanoseconds) / 1_048_576 / 1e9 }
}

/// What is to become of a call, and what that rests on. Times are seconds.
public struct PoolDecision: Sendable {
    /// `nil`: it takes a container that is idle, or ready sooner than any other way.
    public var choice: CapacityMarket.Choice?
    public var worth = Worth.start
    /// Of one more container.
    public var gain = 0.0
    /// About how often the function was seen lately, this call included; `nil`: nobody counts.
    public var timesSeen: Int?
    public var coldStart: Double?
    public var runHere: Double?
    public var runThere: Double?
    /// What is to be done now.
    public var actions: [PoolAction] = []
}
