public import EngineCore

// Variable capacity: its price and amount change, and it may be taken back.
//
//     offered ──less than is held──► idle ones end ──still too much──► busy ones are given notice ──reclaimGrace──► they are ended
//                                                                         └── their calls finish: they end by themselves
//     the price rises above an account's bid: its idle containers end, what runs finishes
//
// A call that is not time-sensitive waits for the cheapest period it knows of; the guard, its arrival and deferral less its usual run, is
// when it begins at the latest, whatever the price (POOL-13).
extension PoolStateMachine {
    /// Variable capacity changes. The sub-pool is made by its first offer; the same offer again changes nothing.
    ///
    /// - Parameters:
    ///   - price: of a GiB-hour.
    ///   - memory: what there is of it; zero takes all back.
    ///   - forecast: prices to come, as far as they are known.
    /// - Complexity: O(containers of the sub-pool) when it shrinks or its price rises.
    public mutating func offer(
        variable name: String, price: Double, memory: ByteCount, forecast: [PricePeriod], now: EngineInstant
    ) -> [PoolAction] {
        var actions: [PoolAction] = []
        let pool = subPool(.variable(name), limit: 0)
        let area = pools[pool].area
        let hasChanged = pools[pool].price != price || areas[area].limit != memory.bytes || pools[pool].forecast != forecast
        let rises = price > pools[pool].price
        pools[pool].price = price
        pools[pool].forecast = forecast
        areas[area].limit = max(memory.bytes, 0)
        guard hasChanged, !isDraining else { return actions }
        if rises {
            for slot in areaLinks.slots(of: areas[area].yielding) where containers[slot].isYielding && (containers[slot].bid ?? 0) < price {
                end(slot, cause: .evicted, now: now, actions: &actions)
            }
        }
        endSurplus(in: area, now: now, actions: &actions)
        giveNotice(area, now: now, actions: &actions)
        variableHasChanged = true
        for waiter in waiters.all where waiter.reason == .cheaperPeriod { wakeDeferred(waiter, now: now, actions: &actions) }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// Tells the containers that were started last that their memory is taken back, as many as are too much.
    private mutating func giveNotice(_ area: Int, now: EngineInstant, actions: inout [PoolAction]) {
        var surplus = areas[area].held - areas[area].ending - areas[area].limit
        guard surplus > 0 else { return }
        let held = containers.indices.filter { slot in
            containers[slot].area == area && [.starting, .busy, .idle].contains(containers[slot].state)
        }
        for slot in held.sorted(by: { containers[$0].startedAt > containers[$1].startedAt }) where surplus > 0 {
            surplus -= containers[slot].memory
            guard containers[slot].noticedAt == nil else { continue }
            containers[slot].noticedAt = now
            if !containers[slot].isLeaving { containers[slot].leavingCause = .evicted }
            containers[slot].isLeaving = true
            actions.append(.notice(containers[slot].id))
        }
        agenda.add(.reclaim(area: area), at: now + configuration.reclaimGrace)
    }

    /// The grace is over: what still runs in memory that is no longer there is ended; its calls are answered as the engine's doing.
    mutating func reclaim(area: Int, at time: EngineInstant, now: EngineInstant, actions: inout [PoolAction]) {
        var surplus = areas[area].held - areas[area].ending - areas[area].limit
        guard surplus > 0 else { return }
        // Each has the whole grace from its own notice on, however many offers there were meanwhile.
        let due = containers.indices.filter { slot in
            containers[slot].area == area && [.starting, .busy, .idle].contains(containers[slot].state)
                && containers[slot].noticedAt.map { $0 + configuration.reclaimGrace <= time } ?? false
        }
        for slot in due where surplus > 0 {
            surplus -= containers[slot].memory
            end(slot, cause: .evicted, now: now, actions: &actions)
        }
    }

    /// Whether a container of a variable sub-pool costs more than its account bids.
    func isTooDear(_ slot: Int) -> Bool {
        let pool = containers[slot].pool
        guard pool != Self.common, case .variable? = pools[pool].id else { return false }
        return (containers[slot].bid ?? 0) < pools[pool].price
    }

    // MARK: Later

    /// When a call that may be deferred begins at the latest.
    private func latestStart(_ request: CapacityRequest, _ deferral: Duration, since: EngineInstant) -> EngineInstant {
        let duration = request.duration ?? .zero
        let latest = since + (deferral - duration)
        return request.deadline.map { min(latest, $0 + (.zero - duration)) } ?? latest
    }

    /// When a call should begin, if that is later than now; at a cheaper period that some sub-pool it may use has ahead.
    func laterStart(_ request: CapacityRequest, since: EngineInstant, now: EngineInstant) -> EngineInstant? {
        guard let deferral = request.deferral, request.mayWait else { return nil }
        let latest = latestStart(request, deferral, since: since)
        var best: PlannedStart?
        for pool in ownedPools.lazy.map({ pools[$0] }) where !pool.isRemoved && !pool.isDrained {
            guard case .variable(let name)? = pool.id, request.permission.kinds.contains(.variable), request.permission.bid != nil,
                request.permission.named?.contains(name) ?? true
            else { continue }
            let current = areas[pool.area].limit > 0 ? pool.price : nil
            let plan = PricePlan(forecast: pool.forecast)
                .cheapestStart(now: now, guard: latest, duration: request.duration ?? .zero, current: current)
            if best.map({ (plan.price ?? .infinity, plan.at) < ($0.price ?? .infinity, $0.at) }) ?? true { best = plan }
        }
        guard let best, best.at > now else { return nil }
        return best.at
    }

    /// How soon a deferred call is looked at again that its function's reserved concurrency has held up.
    static let reservedRetry = Duration.seconds(1)

    /// Whether as many calls of its function run, or wait to at once, as its owner has reserved for it.
    private func isAtReservedLimit(_ waiter: WaiterQueues.Waiter) -> Bool {
        let name = names[classes[waiter.kind].name]
        return waiter.request.concurrencyMax.map { name.running + name.waiting >= $0 } ?? false
    }

    /// A deferred call's time may have come. At the guard it pays any price; if its function's reserved concurrency is used up even then,
    /// it is refused.
    mutating func wakeDeferred(_ waiter: WaiterQueues.Waiter, now: EngineInstant, actions: inout [PoolAction]) {
        guard let deferral = waiter.request.deferral else { return }
        let latest = latestStart(waiter.request, deferral, since: waiter.since)
        if waiter.reason == .cheaperPeriod, isAtReservedLimit(waiter) {
            if now < latest { return postpone(waiter, to: min(now + Self.reservedRetry, latest)) }
            let answer = refuse(.reservedConcurrency, waiter.request, waiter.kind)
            return resume(waiter.id, answer, &actions)
        }
        var woken = waiter
        if now >= latest {
            if let bid = woken.request.permission.bid, woken.request.accountBid == nil {
                // For this call alone: what is started for it is too dear for those after it.
                woken.request.accountBid = bid
                woken.request.permission.bid = .infinity
            }
        } else if let later = laterStart(waiter.request, since: waiter.since, now: now) {
            return postpone(waiter, to: later)
        }
        guard replace(woken) else { return }
        _ = serve(woken, now: now, actions: &actions)
        if now < latest, let still = waiters[waiter.id] { postpone(still, to: latest) }
    }

    private mutating func postpone(_ waiter: WaiterQueues.Waiter, to time: EngineInstant) {
        guard waiter.until != time, var moved = waiters.remove(waiter.id) else { return }
        moved.until = time
        waiters.insert(moved)
        agenda.add(.waiter(waiter.id), at: time)
    }

    /// Puts a waiter with another request in its place.
    private mutating func replace(_ waiter: WaiterQueues.Waiter) -> Bool {
        guard waiters.remove(waiter.id) != nil else { return false }
        waiters.insert(waiter)
        return true
    }
}
