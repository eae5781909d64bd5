public import EngineCore

// What operators, and the shell on their behalf, change while calls run.
extension PoolStateMachine {
    // MARK: Sub-pools

    /// Sets a sub-pool's numbers, makes it if it is new, or removes it.
    ///
    /// A fixed sub-pool's memory is taken from what all share, where idle containers end for it at once. What is removed takes nothing
    /// new: idle containers end, what runs finishes.
    /// - Parameter settings: `nil` removes it.
    /// - Throws: `badNumber`, `notEnoughMemory`, `wrongKind` for dedicated and variable ones, `unknownSubPool` when it is to be removed.
    public mutating func configure(
        _ id: SubPoolID, _ settings: SubPoolSettings?, now: EngineInstant
    ) throws(PoolError) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let settings else {
            let pool = try known(id)
            if case .dedicated = id { return dedicate(classes[pools[pool].kind].kind, count: 0, now: now) }
            remove(pool, now: now, actions: &actions)
            serveWaiters(now: now, actions: &actions)
            return actions
        }
        switch id {
        case .general(let runtime, let sizeClass):
            try setSpares(runtime, sizeClass, settings, now: now, actions: &actions)
        case .fixed:
            guard settings.floor == nil, settings.ceiling == nil else {
                throw PoolError(.wrongKind, "A fixed sub-pool has memory, no floor and ceiling. Set its memory.")
            }
            try setFixed(id, settings.memory, now: now, actions: &actions)
        case .dedicated:
            throw PoolError(.wrongKind, "How many containers are dedicated to a function is set with its provisioned concurrency.")
        case .variable:
            throw PoolError(.wrongKind, "A variable sub-pool has what it is offered. Change the schedule or command that makes its offers.")
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    private func known(_ id: SubPoolID) throws(PoolError) -> Int {
        guard let pool = poolIndex[id], !pools[pool].isRemoved else {
            throw PoolError(.unknownSubPool, "There is no sub-pool '\(id)'.")
        }
        return pool
    }

    mutating func generalPool(runtime: String, sizeClass: Int) -> Int {
        let id = SubPoolID.general(runtime: runtime, sizeClass: sizeClass)
        if let known = poolIndex[id] { return known }
        let pool = addPool(SubPool(id: id, area: Self.common))
        let number = intern(runtime: runtime)
        generalPools[number].append(pool)
        generalPools[number].sort { Self.sizeClass(pools[$0]) < Self.sizeClass(pools[$1]) }
        return pool
    }

    private static func sizeClass(_ pool: SubPool) -> Int {
        if case .general(_, let size)? = pool.id { size } else { 0 }
    }

    mutating func addPool(_ pool: SubPool) -> Int {
        let place = freePools.popLast() ?? pools.count
        if place == pools.count { pools.append(pool) } else { pools[place] = pool }
        if let id = pool.id { poolIndex[id] = place }
        return place
    }

    /// A sub-pool with memory of its own, made if it is new.
    mutating func subPool(_ id: SubPoolID, limit: Int) -> Int {
        if let known = poolIndex[id] {
            pools[known].isRemoved = false
            return known
        }
        let area = freeAreas.popLast() ?? areas.count
        if area == areas.count { areas.append(Area(limit: limit)) } else { areas[area] = Area(limit: limit) }
        let pool = addPool(SubPool(id: id, area: area))
        ownedPools.append(pool)
        return pool
    }

    private mutating func setSpares(
        _ runtime: String, _ sizeClass: Int, _ settings: SubPoolSettings, now: EngineInstant, actions: inout [PoolAction]
    ) throws(PoolError) {
        guard settings.memory == nil else {
            throw PoolError(.wrongKind, "A general sub-pool has a floor and a ceiling, no memory of its own. Set these.")
        }
        let known = poolIndex[.general(runtime: runtime, sizeClass: sizeClass)].map { pools[$0] }
        let floor = settings.floor ?? known?.floor ?? 0
        let ceiling = settings.ceiling ?? max(known?.ceiling ?? 0, floor)
        guard floor >= 0, ceiling >= floor, ceiling <= SubPoolSettings.ceilingMax else {
            throw PoolError(.badNumber, "The floor must be at most the ceiling, and that at most \(SubPoolSettings.ceilingMax).")
        }
        let pool = generalPool(runtime: runtime, sizeClass: sizeClass)
        pools[pool].isRemoved = false
        (pools[pool].floor, pools[pool].ceiling) = (floor, ceiling)
        setTarget(pool, pools[pool].target, now: now, actions: &actions)
    }

    /// How many spare instances a general sub-pool is to keep ready; between its floor and its ceiling. Surplus ones end.
    public mutating func setTarget(_ id: SubPoolID, _ target: Int, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard case .general = id, let pool = poolIndex[id] else { return actions }
        setTarget(pool, target, now: now, actions: &actions)
        return actions
    }

    private mutating func setTarget(_ pool: Int, _ target: Int, now: EngineInstant, actions: inout [PoolAction]) {
        pools[pool].target = min(max(target, pools[pool].floor), pools[pool].ceiling)
        // The oldest go: the newest have the longest to live.
        while pools[pool].ready.count > pools[pool].target, let oldest = pools[pool].ready.first {
            endInstance(oldest, cause: .expired, now: now, actions: &actions)
        }
    }

    private mutating func setFixed(
        _ id: SubPoolID, _ memory: ByteCount?, now: EngineInstant, actions: inout [PoolAction]
    ) throws(PoolError) {
        let old = poolIndex[id].map { areas[pools[$0].area].limit + pools[$0].lent } ?? 0
        let lent = poolIndex[id].map { pools[$0].lent } ?? 0
        let new = memory?.bytes ?? old
        guard new >= lent else {
            throw PoolError(.notEnoughMemory, "\(ByteCount(lent)) of \(id) are lent. Recall them first, or set at least so much.")
        }
        guard new >= 0, new - old <= areas[Self.common].limit - loans else {
            let most = ByteCount(areas[Self.common].limit - loans + old)
            throw PoolError(.notEnoughMemory, "\(id) can have at most \(most): the node has \(configuration.memory) in all.")
        }
        let pool = subPool(id, limit: 0)
        areas[pools[pool].area].limit = new - lent
        promiseSlots(pool)
        setCommon(by: old - new, now: now, actions: &actions)
        endSurplus(in: pools[pool].area, now: now, actions: &actions)
    }

    /// What fixed sub-pools have lent to all.
    private var loans: Int { ownedPools.reduce(0) { $0 + pools[$1].lent } }

    private mutating func setCommon(by bytes: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard bytes != 0 else { return }
        areas[Self.common].limit += bytes
        retention.capacityChanged(to: Self.mebibytes(areas[Self.common].limit))
        endSurplus(in: Self.common, now: now, actions: &actions)
    }

    private mutating func remove(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        pools[pool].isRemoved = true
        pools[pool].isDrained = false
        (pools[pool].floor, pools[pool].ceiling) = (0, 0)
        setTarget(pool, 0, now: now, actions: &actions)
        if case .fixed? = pools[pool].id {
            // What it still holds runs on beyond the node's memory, until it has ended: nothing new starts in it meanwhile.
            setCommon(by: areas[pools[pool].area].limit, now: now, actions: &actions)
            pools[pool].lent = 0
        }
        if pools[pool].area != Self.common { areas[pools[pool].area].limit = 0 }
        promiseSlots(pool)
        endIdle(of: pool, now: now, actions: &actions)
        dropIfRemoved(pool)
    }

    private mutating func endIdle(of pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        for slot in containers.indices where containers[slot].pool == pool && containers[slot].state == .idle {
            if containers[slot].isPinned { continue }
            end(slot, cause: .killed, now: now, actions: &actions)
        }
    }

    /// A removed sub-pool of which nothing is left gives its place to another.
    mutating func dropIfRemoved(_ pool: Int) {
        guard pools[pool].isRemoved, pools[pool].instances == 0, pools[pool].containers == 0, let id = pools[pool].id else { return }
        poolIndex[id] = nil
        if case .general(let runtime, _) = id, let number = runtimeIndex[runtime] { generalPools[number].removeAll { $0 == pool } }
        if pools[pool].area != Self.common {
            freeAreas.append(pools[pool].area)
            ownedPools.removeAll { $0 == pool }
        }
        pools[pool] = SubPool(id: nil, area: Self.common)
        freePools.append(pool)
    }

    // MARK: Lending

    /// A fixed sub-pool lets all use so much of its memory, until a time or until it is recalled with zero.
    ///
    /// On recall, idle containers end at once, and what runs finishes.
    /// - Throws: `unknownSubPool`, `notEnoughMemory` if it has not so much.
    public mutating func lend(
        from name: String, memory: ByteCount, until: EngineInstant?, now: EngineInstant
    ) throws(PoolError) -> [PoolAction] {
        var actions: [PoolAction] = []
        let pool = try known(.fixed(name))
        let area = pools[pool].area
        let own = areas[area].limit + pools[pool].lent
        guard memory.bytes >= 0, memory.bytes <= own else {
            throw PoolError(.notEnoughMemory, "fixed/\(name) has \(ByteCount(own)). Lend at most so much.")
        }
        lend(pool, memory.bytes, now: now, actions: &actions)
        pools[pool].lentUntil = memory.bytes > 0 ? until : nil
        if let until, memory.bytes > 0 { agenda.add(.loan(subPool: pool), at: until) }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    private mutating func lend(_ pool: Int, _ bytes: Int, now: EngineInstant, actions: inout [PoolAction]) {
        let more = bytes - pools[pool].lent
        pools[pool].lent = bytes
        areas[pools[pool].area].limit -= more
        promiseSlots(pool)
        endSurplus(in: pools[pool].area, now: now, actions: &actions)
        setCommon(by: more, now: now, actions: &actions)
    }

    mutating func recall(_ pool: Int, now: EngineInstant, actions: inout [PoolAction]) {
        guard let until = pools[pool].lentUntil, until <= now else { return }
        pools[pool].lentUntil = nil
        lend(pool, 0, now: now, actions: &actions)
    }

    // MARK: Draining a part

    /// The sub-pool takes nothing new: spares and idle containers end, what runs finishes. Its calls take what else they may.
    public mutating func drain(_ id: SubPoolID, now: EngineInstant) throws(PoolError) -> [PoolAction] {
        var actions: [PoolAction] = []
        let pool = try known(id)
        pools[pool].isDrained = true
        for spare in pools[pool].ready { endInstance(spare, cause: .killed, now: now, actions: &actions) }
        endIdle(of: pool, now: now, actions: &actions)
        if case .dedicated = id {
            serveDedicatedWaiters(classes[pools[pool].kind].function, now: now, actions: &actions)
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    public mutating func resume(_ id: SubPoolID, now: EngineInstant) throws(PoolError) -> [PoolAction] {
        var actions: [PoolAction] = []
        let pool = try known(id)
        pools[pool].isDrained = false
        if case .variable = id { variableHasChanged = true }
        serveWaiters(now: now, actions: &actions)
        replenish(pool, now: now, actions: &actions)
        return actions
    }
}
