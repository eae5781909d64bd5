public import EngineCore

// A call asks for a container.
//
//     reserved concurrency ─► the container it wants ─► an idle one of its class ─► one of its class that is being started ahead
//       ─► a later time ─► the policy of dedicated shortage ─► what its account may be given (`place`)
//
// The same way is gone again by a caller that has waited, when what it waited for may be there.
extension PoolStateMachine {
    /// What looking for a container has come to.
    enum Outcome {
        case got(LeaseAnswer)
        case refused(CapacityRefusal)
        /// Not now. A wait for one container's turn names it.
        case lacks(CapacityWait, at: Int? = nil, until: EngineInstant? = nil)
    }

    /// Takes a container for one call, or says how one is to be started, what it waits for, or why it gets none.
    ///
    /// To be asked once to a call. Starts are counted when they are planned, so calls at once never exceed a limit together (POOL-09).
    /// - Complexity: O(1) amortised, plus the containers evicted.
    public mutating func lease(_ request: CapacityRequest, now: EngineInstant) -> (LeaseAnswer, [PoolAction]) {
        var actions: [PoolAction] = []
        guard !isDraining else { return (.refused(.noCapacity), actions) }
        let kind = intern(request.kind)
        let function = classes[kind].function
        makeCurrent(kind)
        noteCosts(function, request.kind, coldStart: request.coldStart?.inSeconds, roundTrip: request.roundTrip?.inSeconds)
        functions[function].permission = request.permission
        if !request.isAnnounced { retention.callArrived(function, free: freeCommon, now: Self.seconds(now)) }
        if isAtLimit(kind, request.concurrencyMax) {
            return (refuse(.reservedConcurrency, request, kind), actions)
        }
        let answer: LeaseAnswer
        switch obtain(request, kind, since: now, waitsFor: nil, now: now, actions: &actions) {
        case .got(let found): answer = found
        case .refused(let why): answer = refuse(why, request, kind)
        case .lacks(let what, let container, let until):
            if request.mayWait, waiters.count < configuration.waitersMax,
                accounts[classes[kind].account].waiters < configuration.waitersPerAccountMax
            {
                answer = enqueue(request, kind, what, at: container, until: until, now: now)
                makeRoomAhead(now: now, actions: &actions)
            } else {
                answer = refuse(refusal(what), request, kind)
            }
        }
        return (answer, actions)
    }

    /// Takes an idle container, if there is one; one at the caller's home if that is among the newest. O(1).
    ///
    /// For calls without affinity: the way of most calls.
    public mutating func leaseWarm(
        _ kind: ContainerClass, home: ObjectIdentifier? = nil, concurrencyMax: Int? = nil, now: EngineInstant
    ) -> ContainerID? {
        guard !isDraining, let kind = classIndex[kind], let slot = idle(kind, home: home), !isAtLimit(kind, concurrencyMax) else {
            return nil
        }
        // A long run may be dearer than the way to a region, which is weighed elsewhere.
        guard isWorthUsing(slot) else { return nil }
        retention.callArrived(classes[kind].function, free: freeCommon, now: Self.seconds(now))
        makeCurrent(kind)
        take(slot, now: now)
        return containers[slot].id
    }

    /// Whether a call should use this container of its class. One that is set aside for its account, or lies in memory that is, takes
    /// nothing from anybody else, however long the run. O(1).
    func isWorthUsing(_ slot: Int) -> Bool {
        containers[slot].isDedicated || containers[slot].area != Self.common
            || retention.usesIdle(classes[containers[slot].kind].function)
    }

    /// Whether as many calls of the function run or wait as may at once. O(1).
    func isAtLimit(_ kind: Int, _ concurrencyMax: Int?) -> Bool {
        guard let concurrencyMax else { return false }
        let name = classes[kind].name
        return names[name].running + names[name].waiting >= concurrencyMax
    }

    /// Whether a container of this class is idle. O(1).
    public func hasWarm(_ kind: ContainerClass) -> Bool { classIndex[kind].map { hasIdle($0) } ?? false }

    func hasIdle(_ kind: Int) -> Bool {
        !classes[kind].lists[ClassList.ordinary.rawValue].isEmpty || !classes[kind].lists[ClassList.dedicated.rawValue].isEmpty
            || !classes[kind].lists[ClassList.mapped.rawValue].isEmpty
    }

    // MARK: -

    /// - Parameters:
    ///   - since: when the call came.
    ///   - waitsFor: what it has waited for, if it did.
    mutating func obtain(
        _ request: CapacityRequest, _ kind: Int, since: EngineInstant, waitsFor: CapacityWait?, now: EngineInstant,
        actions: inout [PoolAction]
    ) -> Outcome {
        var wish: Wish?
        if let demand = request.affinity {
            switch seek(demand, request, kind, since: since, now: now) {
            case .found(let outcome): return outcome
            case .elsewhere(let other): wish = other
            }
        }
        // What is idle although somebody waits for its class is what those who wait cannot use.
        if let slot = takeIdle(kind, home: request.home, unmappedOnly: wish?.maps == true, now: now) {
            return .got(warm(slot, wish, now: now))
        }
        if request.mayWait, let slot = startingAhead(kind, patience: request.patience, now: now) { return .lacks(.shortage, at: slot) }
        if request.isWarmOnly { return .refused(.noCapacity) }
        if waitsFor != .cheaperPeriod, let later = laterStart(request, since: since, now: now) {
            return .lacks(.cheaperPeriod, until: later)
        }
        if let outcome = dedicatedShortage(request, kind) { return outcome }
        // Nobody comes before those who wait for the same.
        guard waitsFor != nil || !waiters.hasAny(of: kind) else {
            return refusal(of: request, kind).map { .refused($0) } ?? .lacks(waiters.first(of: kind)?.reason ?? .shortage)
        }
        return place(request, kind, wish, waitsFor: waitsFor, now: now, actions: &actions)
    }

    /// How many of the newest are looked at for one at the caller's home.
    static let homeLookMax = 4

    /// Of the containers of this class that have been idle for the shortest time, one at `home`, or else the newest: of the dedicated,
    /// then of the others; of those that a routing value is mapped to only if there is nothing else.
    mutating func takeIdle(_ kind: Int, home: ObjectIdentifier?, unmappedOnly: Bool = false, now: EngineInstant) -> Int? {
        guard let slot = idle(kind, home: home, unmappedOnly: unmappedOnly) else { return nil }
        take(slot, now: now)
        return slot
    }

    /// The one that ``takeIdle(_:home:unmappedOnly:now:)`` would take.
    func idle(_ kind: Int, home: ObjectIdentifier?, unmappedOnly: Bool = false) -> Int? {
        newest(kind, .dedicated, home) ?? newest(kind, .ordinary, home) ?? (unmappedOnly ? nil : newest(kind, .mapped, home))
    }

    private func newest(_ kind: Int, _ list: ClassList, _ home: ObjectIdentifier?) -> Int? {
        let newest = classes[kind].lists[list.rawValue].last
        guard newest >= 0 else { return nil }
        guard let home else { return newest }
        var slot = newest
        for _ in 0..<Self.homeLookMax where slot >= 0 {
            if containers[slot].home == home { return slot }
            slot = classLinks.before[slot]
        }
        return newest
    }

    /// An idle container has a call.
    mutating func take(_ slot: Int, now: EngineInstant) {
        setState(slot, .busy, now: now)
        noteYielding(slot, now: now)
        pools[containers[slot].pool].hits[0] += 1
    }

    func grant(_ slot: Int, _ affinity: InvocationRecord.Affinity?) -> ContainerGrant {
        ContainerGrant(
            container: containers[slot].id, instance: containers[slot].instance, subPool: pools[containers[slot].pool].id,
            affinity: affinity)
    }

    mutating func warm(_ slot: Int, _ wish: Wish?, now: EngineInstant) -> LeaseAnswer {
        // By itself, for a mutating call within the arguments of another would have the whole machine copied first.
        let affinity = wish.map { fulfil($0, with: slot, now: now) }
        return .warm(grant(slot, affinity))
    }

    /// A container of this class that is being started without a call, and that nobody waits for.
    func startingAhead(_ kind: Int, patience: Duration?, now: EngineInstant) -> Int? {
        let slot = classes[kind].lists[ClassList.ahead.rawValue].first
        guard slot >= 0, waiters.count(at: containers[slot].id) == 0 else { return nil }
        guard let patience else { return slot }
        let ready = containers[slot].startedAt + .seconds(functions[classes[kind].function].coldStart)
        return ready - now <= patience ? slot : nil
    }

    /// What happens to a call whose function's dedicated containers are all busy (POOL-10); `nil`: it takes other capacity.
    private func dedicatedShortage(_ request: CapacityRequest, _ kind: Int) -> Outcome? {
        guard dedicatedPool(of: kind) != nil else { return nil }
        switch request.permission.shortage {
        case .spill: return nil
        case .wait: return .lacks(.dedicated)
        case .reject: return .refused(.rejectedByPolicy)
        }
    }

    /// The sub-pool that keeps containers of this class ready for its function alone; `nil`: none does. O(1).
    func dedicatedPool(of kind: Int) -> Int? {
        let pool = functions[classes[kind].function].dedicated
        return pool >= 0 && pools[pool].kind == kind && pools[pool].target > 0 && !pools[pool].isDrained ? pool : nil
    }

    // MARK: Refusals

    /// What a wait is for a caller that cannot wait.
    func refusal(_ wait: CapacityWait) -> CapacityRefusal {
        switch wait {
        case .shortage, .cheaperPeriod: .noCapacity
        case .dedicated: .rejectedByPolicy
        case .permissionLimit: .noPermission
        case .variablePrice: .variableCapacity
        case .affinity: .affinity
        }
    }

    mutating func refuse(_ why: CapacityRefusal, _ request: CapacityRequest, _ kind: Int) -> LeaseAnswer {
        let pool =
            switch why {
            case .rejectedByPolicy: max(functions[classes[kind].function].dedicated, Self.common)
            case .variableCapacity: reach(of: request.permission).variable.first ?? Self.common
            case .noCapacity: nearest(request.permission)
            default: Self.common
            }
        pools[pool].refusals[why.ordinal] += 1
        touch(classes[kind].function)
        return .refused(why)
    }
}
