public import EngineCore

// Callers that wait, and who is looked at when something changes.
//
//     a container is given back, or has been started ahead ─► who waits for it, then the first of its class
//     memory, slots or starts come free                    ─► the heads of the lines, the oldest first
//     an account holds less                                ─► the first few that wait for that
//     variable memory or its price changes                 ─► the bidders, the highest first
//     a container ends                                     ─► who has waited for it, anew
//     a time comes                                         ─► who has waited for that
//
// Nobody who cannot be served stands before others who can. A caller that is looked at in vain keeps its turn.
extension PoolStateMachine {
    /// How long somebody else must have waited to be served before those who wait for the class of a container that is given back.
    static let patienceMax = Duration.milliseconds(100)
    /// Of the callers of one account, or of the bidders, so many are looked at, for the first may ask for more than the others.
    static let lookMax = 16

    mutating func enqueue(
        _ request: CapacityRequest, _ kind: Int, _ reason: CapacityWait, at slot: Int?, until: EngineInstant?, now: EngineInstant
    ) -> LeaseAnswer {
        let id = WaiterID(number: nextNumber())
        let entry = classes[kind]
        let magnitude = Int.bitWidth - entry.kind.memory.mebibytesRoundedUp.leadingZeroBitCount
        let line = WaiterQueues.Line(
            runtime: entry.runtime, usesSpares: entry.kind.usesSpares, magnitude: magnitude, kinds: request.permission.kinds,
            named: request.permission.named)
        let waiter = WaiterQueues.Waiter(
            id: id, request: request, kind: kind, account: entry.account, line: line, since: now, reason: reason, places: [])
        enqueue(waiter, reason, at: slot, until: until)
        classes[kind].waiters += 1
        functions[entry.function].waiters += 1
        accounts[entry.account].waiters += 1
        noteVacancy(entry.function)
        countWaiting(waiter, reason, by: 1)
        pools[awaited(reason, waiter)].waits[reason.ordinal] += 1
        return .wait(id, reason)
    }

    /// The sub-pool that is short of what is waited for.
    func awaited(_ reason: CapacityWait, _ waiter: WaiterQueues.Waiter) -> Int {
        switch reason {
        case .dedicated: max(functions[classes[waiter.kind].function].dedicated, Self.common)
        case .variablePrice, .cheaperPeriod: someVariable(waiter.request.permission)
        case .shortage: nearest(waiter.request.permission)
        case .permissionLimit, .affinity: Self.common
        }
    }

    /// Where its account would be given capacity first.
    func nearest(_ permission: CapacityPermission) -> Int {
        let reach = reach(of: permission)
        return reach.sharesCommon ? Self.common : reach.fixed.first ?? reach.variable.first ?? Self.common
    }

    private func someVariable(_ permission: CapacityPermission) -> Int {
        let reach = reach(of: permission)
        return reach.variable.first ?? reach.dearer.first ?? Self.common
    }

    /// A deferred call counts towards its function's reserved concurrency only once it runs.
    private mutating func countWaiting(_ waiter: WaiterQueues.Waiter, _ reason: CapacityWait, by count: Int) {
        if reason != .cheaperPeriod { names[classes[waiter.kind].name].waiting += count }
    }

    private mutating func enqueue(
        _ waiter: WaiterQueues.Waiter, _ reason: CapacityWait, at slot: Int?, until: EngineInstant?
    ) {
        var waiter = waiter
        waiter.reason = reason
        waiter.until = until ?? waiter.until
        waiter.container = slot.map { containers[$0].id }
        let reach = reach(of: waiter.request.permission)
        waiter.places =
            switch reason {
            case .shortage where slot != nil, .affinity: .container
            case .shortage: reach.bids ? [.line, .ofClass, .bidders] : [.line, .ofClass]
            case .dedicated: .ofClass
            case .permissionLimit: [.ofClass, .account]
            case .variablePrice: reach.sharesCommon || !reach.fixed.isEmpty ? [.line, .ofClass, .bidders] : [.ofClass, .bidders]
            case .cheaperPeriod: []
            }
        waiters.insert(waiter)
        if let until { agenda.add(.waiter(waiter.id), at: until) }
    }

    /// A waiting caller has gone. What it was given meanwhile must be released instead. O(1), and O(log n) for a bidder.
    ///
    /// - Parameter timedOut: its time was over, so that the wait is counted as a refusal.
    /// - Returns: what it was waiting for; `nil` if it has been answered.
    public mutating func cancel(_ waiter: WaiterID, timedOut: Bool = false, now: EngineInstant) -> CapacityWait? {
        guard let gone = leaveQueues(waiter) else { return nil }
        if timedOut { _ = refuse(refusal(gone.reason), gone.request, gone.kind) }
        forgetIfUnused(classIndex: gone.kind)
        return gone.reason
    }

    mutating func leaveQueues(_ id: WaiterID) -> WaiterQueues.Waiter? {
        guard let waiter = waiters.remove(id) else { return nil }
        let function = classes[waiter.kind].function
        classes[waiter.kind].waiters -= 1
        functions[function].waiters -= 1
        accounts[waiter.account].waiters -= 1
        noteVacancy(function)
        countWaiting(waiter, waiter.reason, by: -1)
        return waiter
    }

    // MARK: Serving

    /// Looks for what a waiter waits for, and resumes it if that is there or never will be. One that now waits for something else
    /// is queued for that.
    /// - Returns: whether it is where it was.
    mutating func serve(_ waiter: WaiterQueues.Waiter, now: EngineInstant, actions: inout [PoolAction]) -> Bool {
        let outcome = obtain(
            waiter.request, waiter.kind, since: waiter.since, waitsFor: waiter.reason, now: now, actions: &actions)
        switch outcome {
        case .got(let answer):
            resume(waiter.id, answer, &actions)
        case .refused(let why):
            let answer = refuse(why, waiter.request, waiter.kind)
            resume(waiter.id, answer, &actions)
        case .lacks(let reason, let slot, let until):
            if reason == waiter.reason, slot.map({ containers[$0].id }) == waiter.container { return true }
            guard let left = waiters.remove(waiter.id) else { return false }
            countWaiting(left, left.reason, by: -1)
            countWaiting(left, reason, by: 1)
            enqueue(left, reason, at: slot, until: until)
        }
        return false
    }

    mutating func resume(_ id: WaiterID, _ answer: LeaseAnswer, _ actions: inout [PoolAction]) {
        guard leaveQueues(id) != nil else { return }
        actions.append(.resume(id, answer))
    }

    /// Looks at everybody whose wait this transition may have ended. O(lines) for each one served.
    mutating func serveWaiters(now: EngineInstant, actions: inout [PoolAction]) {
        startPending(now: now, actions: &actions)
        guard !waiters.isEmpty else {
            strayed.removeAll()
            relieved.removeAll()
            variableHasChanged = false
            return
        }
        while !strayed.isEmpty {
            let ids = strayed
            strayed = []
            for id in ids {
                if let waiter = waiters[id] { _ = serve(waiter, now: now, actions: &actions) }
            }
        }
        serveLines(now: now, actions: &actions)
        while let account = relieved.popFirst() {
            for waiter in waiters.firstOf(account: account, max: Self.lookMax) where waiters[waiter.id] != nil {
                _ = serve(waiter, now: now, actions: &actions)
            }
        }
        if variableHasChanged { serveBidders(now: now, actions: &actions) }
    }

    /// The heads of the lines, the longest waiting first; one that cannot be placed is passed over with those of its size.
    private mutating func serveLines(now: EngineInstant, actions: inout [PoolAction]) {
        var round = WaiterQueues.Round()
        while tally.starting < configuration.startsMax, let next = waiters.first(round) {
            // Of those who wait for the same, the first is served, whichever line has brought it up.
            let ofClass = waiters.first(of: next.kind)
            let first = ofClass.map { $0.places.contains(.line) ? $0 : next } ?? next
            if serve(first, now: now, actions: &actions) { round.pass(next) }
        }
        makeRoomAhead(now: now, actions: &actions)
    }

    private mutating func serveBidders(now: EngineInstant, actions: inout [PoolAction]) {
        variableHasChanged = false
        guard waiters.hasBidders else { return }
        let lowest = ownedPools.reduce(Double.infinity) { least, index in
            let pool = pools[index]
            guard case .variable? = pool.id, !pool.isRemoved, !pool.isDrained else { return least }
            return min(least, pool.price)
        }
        var inVain = 0
        for waiter in waiters.firstBidders(atLeast: lowest, max: configuration.waitersMax) where waiters[waiter.id] != nil {
            guard inVain < Self.lookMax else { return }
            if serve(waiter, now: now, actions: &actions) { inVain += 1 }
        }
    }

    /// A container of this class has become idle: who waits for the same gets it as it is, unless that would let others starve.
    mutating func handOn(_ kind: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard waiters.hasAny(of: kind) else { return }
        if let first = waiters.first(), now - first.since >= Self.patienceMax, first.kind != kind {
            serveLines(now: now, actions: &actions)
        }
        // One that wants a container of its own does not take what values of others are mapped to; those behind it may.
        var goesOn = true
        while goesOn, hasIdle(kind) {
            goesOn = false
            for waiter in waiters.firstOf(class: kind, max: Self.lookMax) where !goesOn && waiters[waiter.id] != nil {
                goesOn = !serve(waiter, now: now, actions: &actions)
            }
        }
    }

    /// A busy container's call is over, or one that was started ahead is ready: gives it to the first that waits for it.
    /// - Returns: whether somebody did.
    mutating func handOver(_ slot: Int, now: EngineInstant, actions: inout [PoolAction]) -> Bool {
        guard let waiter = firstFor(slot, now: now, actions: &actions) else { return false }
        let wish = waiter.request.affinity.map { demand in
            let key = demand.value.map { AffinityKey(functions[classes[waiter.kind].function].scope, $0) }
            return Wish(key: key, demand: demand, maps: key != nil, result: waiter.reason == .affinity ? .hit : nil)
        }
        setState(slot, .busy, now: now)
        noteYielding(slot, now: now)
        pools[containers[slot].pool].hits[0] += 1
        resume(waiter.id, warm(slot, wish, now: now), &actions)
        return true
    }

    /// Who has waited longest for this container. Callers whose value has got another one meanwhile are looked at anew, for a value has
    /// one container (STICK-18).
    private mutating func firstFor(_ slot: Int, now: EngineInstant, actions: inout [PoolAction]) -> WaiterQueues.Waiter? {
        let id = containers[slot].id
        while let waiter = waiters.first(at: id) {
            guard waiter.reason != .affinity, let demand = waiter.request.affinity, demand.container != id.number, let value = demand.value,
                let row = affinity.row(AffinityKey(functions[classes[waiter.kind].function].scope, value)), row.container != id,
                !serve(waiter, now: now, actions: &actions)
            else { return waiter }
        }
        return nil
    }

    /// A time that a waiter waits for has come: its turn at a container is over, or a cheaper period has begun.
    mutating func wakeUp(_ id: WaiterID, now: EngineInstant, actions: inout [PoolAction]) {
        guard let waiter = waiters[id], waiter.until.map({ $0 <= now }) == true else { return }
        switch waiter.reason {
        case .affinity: _ = serve(waiter, now: now, actions: &actions)
        default: wakeDeferred(waiter, now: now, actions: &actions)
        }
    }
}
