internal import DequeModule
public import EngineCore

// When the warming pool is brought to its target.
//
//     full ──a spare is taken, ends or fails──► lacking ──quiet, or too long──► booting ──instanceReady──► full
//
// A spare that boots while a call starts takes from it what the call needs most, a processor. So a lack waits until no start is
// under way and the last one was `replenishDelay` ago, by when its call has been answered, mostly. Steady cold calls would
// put that off for ever: then it waits no longer than `lackMax`. After a failed boot it waits longer with each.
//
// Somebody who waits for memory, slots or starts is no reason to hurry: they wait for memory, which a spare would take, or for a start of
// their own, which is the same work.
//
// Dedicated containers are promised, so they are started as soon as a start is free, and idle ones give way to them. They are started
// within the permission of their account, as what its calls start is.
extension PoolStateMachine {
    /// How long calls that keep starting can put off the boot of a spare.
    public static let lackMax = Duration.milliseconds(500)

    /// Brings a sub-pool to its target, counting what is booting already (POOL-15), if it is time to.
    mutating func replenish(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard !isHeldBack else { return }
        switch pools[pool].id {
        case .general?: replenishGeneral(pool, now: now, actions: &actions)
        case .dedicated?: replenishDedicated(pool, now: now, actions: &actions)
        case .fixed?, .variable?, nil: return
        }
    }

    private mutating func replenishGeneral(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard lacksSpares(pool) else {
            pools[pool].lackingSince = nil
            return
        }
        let since = pools[pool].lackingSince ?? now
        pools[pool].lackingSince = since
        // Who waits comes first: a spare instance that takes the memory they wait for would be ended for it again, and so on for ever.
        guard !isDraining, waiters.first() == nil, now >= pools[pool].retryAt ?? now, isQuiet(now) || now - since >= Self.lackMax
        else { return }
        while lacksSpares(pool), tally.booting < configuration.startsMax, fits(configuration.spareMemory.bytes, slots: 1, in: Self.common) {
            boot(pool, now: now, actions: &actions)
        }
        // What is still lacking waits anew, for it has been looked at.
        pools[pool].lackingSince = lacksSpares(pool) ? now : nil
    }

    private mutating func boot(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard case .general(let runtime, _)? = pools[pool].id, let runtimeNumber = runtimeIndex[runtime] else { return }
        let id = addInstance(runtime: runtimeNumber, pool: pool, account: -1, state: .booting, bornAt: now, now: now)
        let row = ledgerRow(account: -1, pool: pool)
        let spare = ContainerID(number: nextNumber())
        let bytes = configuration.spareMemory.bytes
        var container = Container(id: spare, instance: id, pool: pool, area: Self.common, row: row, memory: bytes)
        container.startedAt = now
        let slot = add(container)
        charge(pool: pool, account: -1, row: row, bytes: bytes, containers: 1, now: now)
        setState(slot, .spare, now: now)
        instances[id]?.containers = [slot]
        pools[pool].booting += 1
        tally.booting += 1
        actions.append(.bootInstance(id, spare: spare, runtime: runtime))
    }

    private func lacksSpares(_ pool: Int) -> Bool {
        !pools[pool].isDrained && !pools[pool].isRemoved && pools[pool].ready.count + pools[pool].booting < pools[pool].target
    }

    /// Whether a spare that boots now takes nothing from a call that starts.
    private func isQuiet(_ now: EngineInstant) -> Bool {
        tally.starting == 0 && lastStart.map { now - $0 >= configuration.replenishDelay } ?? true
    }

    // MARK: Dedicated

    private mutating func replenishDedicated(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        let kind = pools[pool].kind
        guard kind >= 0, !isDraining, !pools[pool].isDrained, now >= pools[pool].retryAt ?? now, !classes[kind].isRetired else { return }
        while pools[pool].live < pools[pool].target, tally.starting < configuration.startsMax, mayDedicate(pool) {
            let entry = classes[kind]
            let bytes = entry.kind.memory.bytes
            let own = roomy[RoomKey(account: entry.account, runtime: entry.runtime, group: pool)]?.last
            guard makeRoom(bytes, slots: 1, in: Self.common, for: kind, now: now, actions: &actions), fits(bytes, slots: 1, in: Self.common)
            else { return }
            let way = Way(kind: own == nil ? .newInstance : .container, pool: pool, instance: own, bytes: bytes, slots: 1)
            let plan = begin(way, CapacityRequest(entry.kind), kind, nil, waitsFor: nil, isAhead: true, isDedicated: true, now: now)
            actions.append(.preload(plan, entry.kind))
        }
    }

    /// Whether its account may be given one more container in a dedicated sub-pool.
    func mayDedicate(_ pool: Int) -> Bool {
        let (permission, entry) = (pools[pool].permission, classes[pools[pool].kind])
        let hasRoom = roomy[RoomKey(account: entry.account, runtime: entry.runtime, group: pool)] != nil
        let mayAddInstance = permission.instancesMax.map { accounts[entry.account].instances < $0 } ?? true
        return permission.mayGrow && (hasRoom || mayAddInstance)
            && isWithinMemory(permission, entry.account, entry.kind.memory.bytes)
    }

    // MARK: Ahead of calls

    /// Whether starts ahead of the function's calls are put off, because the last ones have failed.
    private func isBackingOff(_ function: Int, _ now: EngineInstant) -> Bool {
        functions[function].aheadRetryAt.map { now < $0 } ?? false
    }

    /// Starts that nobody waits for are queued up to this number while room is being made for them; beyond, they are dropped.
    static let pendingAheadMax = 64

    /// Starts a container that no call waits for: behind one that is forwarded, or ahead of one that is expected.
    ///
    /// - Returns: the plan, to be carried out and reported with `preloaded` or `containerEnded`; `nil` if there is no room now. If room
    ///   is being made, the start follows as `PoolAction.preload`.
    public mutating func startAhead(
        _ kind: ContainerClass, permission: CapacityPermission = .standard, now: EngineInstant
    ) -> (StartPlan?, [PoolAction]) {
        var actions: [PoolAction] = []
        guard !isDraining else { return (nil, actions) }
        let plan = planAhead(kind, permission, now: now, actions: &actions)
        return (plan, actions)
    }

    private mutating func planAhead(
        _ kind: ContainerClass, _ permission: CapacityPermission, now: EngineInstant, actions: inout [PoolAction]
    ) -> StartPlan? {
        let index = intern(kind)
        guard !isBackingOff(classes[index].function, now) else { return nil }
        let request = CapacityRequest(kind, permission: permission, mayWait: false)
        switch place(request, index, nil, waitsFor: nil, isAhead: true, now: now, actions: &actions) {
        case .got(.start(let plan)): return plan
        case .lacks(.shortage, _, _) where areas[Self.common].ending > 0 && pendingAhead.count < Self.pendingAheadMax:
            pendingAhead.append((kind, permission))
        default: break
        }
        return nil
    }

    /// Starts what has waited for room, after the callers; drops what has a container meanwhile.
    mutating func startPending(now: EngineInstant, actions: inout [PoolAction]) {
        guard !isHeldBack, !pendingAhead.isEmpty, waiters.first() == nil, tally.starting < configuration.startsMax else { return }
        for _ in 0..<pendingAhead.count {
            guard let (kind, permission) = pendingAhead.popFirst() else { return }
            guard let index = classIndex[kind], !hasIdle(index), startingAhead(index, patience: nil, now: now) == nil, !isDraining else {
                continue
            }
            if let plan = planAhead(kind, permission, now: now, actions: &actions) { actions.append(.preload(plan, kind)) }
        }
    }

    /// Starts what the retention policy expects to be called soon.
    mutating func prewarm(now: EngineInstant, actions: inout [PoolAction]) {
        let time = Self.seconds(now)
        while let at = retention.nextPrewarming, at <= time, !isDraining, !isHeldBack,
            let due = retention.takeDuePrewarming(free: freeCommon, slots: missingSlots(1), now: time)
        {
            let current = functions[due.function].current
            guard !isBackingOff(due.function, now) else { continue }
            for victim in due.victims { evict(victim, for: current, now: now, actions: &actions) }
            guard current >= 0, !classes[current].isVacant, !classes[current].isRetired else { continue }
            let kind = classes[current].kind
            if let plan = planAhead(kind, functions[due.function].permission, now: now, actions: &actions) {
                actions.append(.preload(plan, kind))
            }
        }
    }
}
