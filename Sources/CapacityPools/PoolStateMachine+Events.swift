public import EngineCore

// What the shell reports: a container has started, is given back, or has ended; an instance is ready or has ended; time has passed.
extension PoolStateMachine {
    /// The container has its code and is about to run the call it was leased for.
    ///
    /// - Parameter home: where its events are handled.
    public mutating func containerStarted(_ id: ContainerID, home: ObjectIdentifier? = nil, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let slot = slots[id], containers[slot].state == .starting, !containers[slot].isAhead else { return actions }
        noteStarted(slot, home: home, now: now)
        setState(slot, .busy, now: now)
        noteYielding(slot, now: now)
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// A container that was started ahead of calls is ready: it goes to who waits for it, or becomes idle.
    public mutating func preloaded(_ id: ContainerID, home: ObjectIdentifier? = nil, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let slot = slots[id], containers[slot].state == .starting, containers[slot].isAhead else { return actions }
        noteStarted(slot, home: home, now: now)
        pools[containers[slot].pool].failures = 0
        pools[containers[slot].pool].retryAt = nil
        let function = classes[containers[slot].kind].function
        functions[function].aheadFailures = 0
        functions[function].aheadRetryAt = nil
        settle(slot, now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    private mutating func noteStarted(_ slot: Int, home: ObjectIdentifier?, now: EngineInstant) {
        let container = containers[slot]
        lastStart = now
        containers[slot].home = home
        instances[container.instance]?.exists = true
        noteRoom(container.instance)
        let entry = classes[container.kind]
        guard now > container.startedAt else { return }
        let took = (now - container.startedAt).inSeconds
        noteMade(slot, in: took)
        let known = functions[entry.function].coldStart
        noteCosts(entry.function, entry.kind, coldStart: known + 0.3 * (took - known), roundTrip: nil)
    }

    /// The call is over. `keep` returns the container to the idle ones; otherwise it is ended.
    ///
    /// - Parameters:
    ///   - state: what calls have left in it, if that was measured.
    ///   - ran: how long the call ran, without its start.
    public mutating func release(
        _ id: ContainerID, keep: Bool, state: ByteCount? = nil, ran: Duration? = nil, now: EngineInstant
    ) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let slot = slots[id] else { return actions }
        if let state { containers[slot].gathered = Self.mebibytes(state.bytes) }
        switch containers[slot].state {
        case .busy where keep: settle(slot, ran: ran, now: now, actions: &actions)
        case .busy, .starting: end(slot, cause: .ended, now: now, actions: &actions)
        case .vacant, .spare, .idle, .ending: return actions
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// A container has no call: it goes to who waits for it, becomes idle, or ends if it must not serve another.
    private mutating func settle(_ slot: Int, ran: Duration? = nil, now: EngineInstant, actions: inout [PoolAction]) {
        if let cause = endingCause(slot) { return end(slot, cause: cause, now: now, actions: &actions) }
        setState(slot, .idle, ran: ran, now: now)
        containers[slot].isAhead = false
        if handOver(slot, now: now, actions: &actions) { return }
        makeIdle(slot, now: now)
        handOn(containers[slot].kind, now: now, actions: &actions)
        // Others of its account that are at their limit may have its place.
        if waiters.hasAny(ofAccount: containers[slot].account) { relieved.insert(containers[slot].account) }
    }

    /// Why a container may serve no other call; `nil`: it may.
    private func endingCause(_ slot: Int) -> ColdCause? {
        let container = containers[slot]
        if classes[container.kind].isRetired { return .changed }
        if isDraining { return .expired }
        if container.isLeaving { return container.leavingCause }
        // Read where they are: a copy of a sub-pool's record would cost every warm call.
        let (pool, area) = (container.pool, container.area)
        if pools[pool].isDrained || pools[pool].isRemoved { return .killed }
        if pools[pool].kind >= 0 {
            if !container.isDedicated { return .changed }
            if pools[pool].live > pools[pool].target { return .expired }
        }
        return areas[area].held - areas[area].ending > areas[area].limit || isTooDear(slot) ? .evicted : nil
    }

    /// Lists a container that is idle, and says when it is to be looked at.
    mutating func makeIdle(_ slot: Int, now: EngineInstant) {
        containers[slot].idleSince = now
        list(slot)
        let entry = classes[containers[slot].kind]
        let wasBusy = containers[slot].told != .starting
        let keep = retention.keepAlive(entry.function, wasBusy: wasBusy, state: containers[slot].gathered)
        noteYielding(slot, now: now)
        // Beyond a century there is no need to look.
        containers[slot].expiresAt = keep < 3e9 ? now + .nanoseconds(Int64(keep * 1e9)) : nil
        watch(slot)
    }

    /// Puts it on the agenda for the end of its keep-alive, unless it is there for an earlier time.
    mutating func watch(_ slot: Int) {
        guard let time = containers[slot].expiresAt, containers[slot].timerAt.map({ time < $0 }) ?? true else { return }
        containers[slot].timerAt = time
        agenda.add(.idle(slot: slot, containers[slot].id), at: time)
    }

    private mutating func expire(
        _ slot: Int, _ id: ContainerID, at time: EngineInstant, now: EngineInstant, _ actions: inout [PoolAction]
    ) {
        guard containers[slot].id == id, containers[slot].timerAt == time else { return }
        containers[slot].timerAt = nil
        guard containers[slot].isYielding, let end = containers[slot].expiresAt else { return }
        if end <= now { self.end(slot, cause: .expired, now: now, actions: &actions) } else { watch(slot) }
    }

    /// Everything of the container is gone, or its start has failed.
    ///
    /// - Parameter cause: why, if it was not the machine's doing; `nil`: it ended by itself.
    public mutating func containerEnded(_ id: ContainerID, cause: ColdCause? = nil, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let slot = slots[id] else { return actions }
        let container = containers[slot]
        noteFailureAhead(slot, now: now)
        forget(slot, cause: cause ?? .ended, now: now)
        if let instance = instances[container.instance], instance.containers.isEmpty {
            if instance.state == .booting { noteFailure(instance.pool, now: now) }
            endInstance(container.instance, cause: .ended, now: now, actions: &actions)
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// A booting instance is ready to be assigned.
    ///
    /// - Parameter home: see ``containerStarted(_:home:now:)``.
    public mutating func instanceReady(_ id: InstanceID, home: ObjectIdentifier? = nil, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let instance = instances[id], instance.state == .booting else { return actions }
        let pool = instance.pool
        pools[pool].booting -= 1
        tally.booting -= 1
        pools[pool].failures = 0
        pools[pool].retryAt = nil
        pools[pool].ready.append(id)
        tally.ready += 1
        instances[id]?.state = .ready
        instances[id]?.exists = true
        if let spare = instance.containers.first { containers[spare].home = home }
        if isDraining || instance.isLeaving || pools[pool].isDrained || pools[pool].ready.count > pools[pool].target {
            endInstance(id, cause: .expired, now: now, actions: &actions)
        }
        serveWaiters(now: now, actions: &actions)
        replenish(pool, now: now, actions: &actions)
        return actions
    }

    /// Everything of the instance is gone, for whatever reason, its containers included.
    ///
    /// - Parameter cause: see ``containerEnded(_:cause:now:)``.
    public mutating func instanceEnded(_ id: InstanceID, cause: ColdCause? = nil, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let instance = instances[id] else { return actions }
        if instance.state == .booting { noteFailure(instance.pool, now: now) }
        for slot in instance.containers { noteFailureAhead(slot, now: now) }
        forget(id, cause: cause ?? .ended, now: now)
        serveWaiters(now: now, actions: &actions)
        replenish(instance.pool, now: now, actions: &actions)
        return actions
    }

    private mutating func noteFailure(_ pool: Int, now: EngineInstant) {
        pools[pool].bootFailures += 1
        pools[pool].failures += 1
        pools[pool].retryAt = now + retryDelay(pools[pool].failures)
    }

    /// A container that was being started ahead of calls has ended before it was ready: for a dedicated one its sub-pool waits, for
    /// another its function.
    private mutating func noteFailureAhead(_ slot: Int, now: EngineInstant) {
        let container = containers[slot]
        guard container.state == .starting, container.isAhead else { return }
        if container.isDedicated { return noteFailure(container.pool, now: now) }
        let function = classes[container.kind].function
        pools[container.pool].bootFailures += 1
        functions[function].aheadFailures += 1
        functions[function].aheadRetryAt = now + retryDelay(functions[function].aheadFailures)
    }

    private func retryDelay(_ failures: Int) -> Duration { configuration.bootRetryDelay * (1 << min(failures - 1, 6)) }

    /// When ``tick(now:)`` has something to do next, apart from making spares; `nil`: nothing is due ever.
    public var nextDue: EngineInstant? { agenda.nextAt }

    /// What time brings: what is due, spares and dedicated containers to be made, starts ahead of calls. To be called
    /// when the launcher is ready and every few dozen milliseconds. O(general, fixed and variable sub-pools) when there is nothing to do.
    public mutating func tick(now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        while let (time, event) = agenda.takeDue(now: now) {
            switch event {
            case .idle(let slot, let id): expire(slot, id, at: time, now: now, &actions)
            case .lifetime(let id): retire(id, now: now, actions: &actions)
            case .waiter(let id): wakeUp(id, now: now, actions: &actions)
            case .reclaim(let area): reclaim(area: area, at: time, now: now, actions: &actions)
            case .loan(let pool): recall(pool, now: now, actions: &actions)
            }
        }
        // What was pinned when its area's limit fell, and is not any more.
        for area in areas.indices { endSurplus(in: area, now: now, actions: &actions) }
        forgetFunctions()
        prewarm(now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        for runtime in generalPools.indices {
            for pool in generalPools[runtime] { replenish(pool, now: now, actions: &actions) }
        }
        replenishShort(now: now, actions: &actions)
        return actions
    }
}
