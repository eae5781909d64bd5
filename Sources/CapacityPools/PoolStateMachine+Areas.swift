internal import EngineCore

// Who is charged for a container, and how room is made.
extension PoolStateMachine {
    // MARK: The books

    /// Changes what a container holds, everywhere it is counted.
    mutating func charge(pool: Int, account: Int, row: Int, bytes: Int, containers: Int, now: EngineInstant) {
        areas[pools[pool].area].held += bytes
        areas[pools[pool].area].containers += containers
        pools[pool].memory += bytes
        pools[pool].containers += containers
        if account >= 0 { accounts[account].memory += bytes }
        ledger.change(row, CapacityLedger.Change(containers: containers, bytes: bytes), now: now)
    }

    mutating func ledgerRow(account: Int, pool: Int) -> Int {
        ledger.row(CapacityLedger.Key(account: account < 0 ? nil : accounts[account].id, subPool: pools[pool].id))
    }

    func free(in area: Int) -> Int { areas[area].limit - areas[area].held }

    /// Mebibytes of the memory that all share that nothing holds, as the retention policy is told.
    var freeCommon: Double { Self.mebibytes(free(in: Self.common)) }

    func fits(_ bytes: Int, slots: Int, in area: Int) -> Bool {
        areas[area].held + bytes <= areas[area].limit
            && tally.containers + slots + slotsPromised(butIn: area) <= configuration.containersMax
    }

    // MARK: The slots of fixed sub-pools

    // A fixed sub-pool's memory is worth nothing if others have taken all slots. So it is promised the share of the slots that it has of
    // the node's memory, and others leave free what of these it does not use.

    /// Slots that must stay free for fixed sub-pools other than this area's. O(fixed and variable sub-pools).
    ///
    /// - Parameter isSoon: as it will be when what is ending has ended.
    func slotsPromised(butIn area: Int? = nil, isSoon: Bool = false) -> Int {
        ownedPools.reduce(0) { sum, pool in
            let other = areas[pools[pool].area]
            guard other.slotsPromised > 0, pools[pool].area != area else { return sum }
            return sum + max(0, other.slotsPromised - other.containers + (isSoon ? other.endingCount : 0))
        }
    }

    /// To be called when a fixed sub-pool's memory changes.
    mutating func promiseSlots(_ pool: Int) {
        guard case .fixed? = pools[pool].id else { return }
        let area = pools[pool].area
        areas[area].slotsPromised = configuration.containersMax * areas[area].limit / max(configuration.memory.bytes, 1)
    }

    /// Containers that are, or will soon be, too many for what is to start in an area.
    private func missingSlots(_ slots: Int, in area: Int) -> Int {
        tally.containers - tally.ending + slots + slotsPromised(butIn: area, isSoon: true) - configuration.containersMax
    }

    // MARK: Idle containers that may be ended

    /// Lists it among those that may be ended for room, or takes it out, as it is; and tells the retention policy.
    mutating func noteYielding(_ slot: Int, now: EngineInstant) {
        let container = containers[slot]
        let yields = container.state == .idle && !container.isPinned && !container.isDedicated
        if yields != container.isYielding {
            containers[slot].isYielding = yields
            if yields {
                areaLinks.append(slot, to: &areas[container.area].yielding)
                accountLinks.append(slot, to: &accounts[container.account].yielding)
            } else {
                areaLinks.remove(slot, from: &areas[container.area].yielding)
                accountLinks.remove(slot, from: &accounts[container.account].yielding)
            }
            areas[container.area].yieldingCount += yields ? 1 : -1
            areas[container.area].yieldingMemory += yields ? container.memory : -container.memory
        }
        let isStartingAhead = container.state == .starting && container.isAhead && !container.isDedicated
        tell(slot, yields ? .idle : container.state == .ending ? nil : isStartingAhead ? .starting : .busy, now: now)
    }

    /// Tells the retention policy where a container is now; of those in the common memory only, for the others have owners.
    private mutating func tell(_ slot: Int, _ new: RetentionState?, now: EngineInstant) {
        guard containers[slot].area == Self.common, containers[slot].told != new else { return }
        let (id, function, old) = (containers[slot].id, classes[containers[slot].kind].function, containers[slot].told)
        let time = Self.seconds(now)
        containers[slot].told = new
        switch (old, new) {
        case (_, nil): if let old { retention.containerEnded(id, of: function, was: old, now: time) }
        case (nil, .starting): retention.containerStarts(id, of: function, now: time)
        case (nil, _):
            retention.containerStarts(id, of: function, now: time)
            retention.containerIsBusy(id, of: function)
            if new == .idle {
                retention.containerIsIdle(id, of: function, wasBusy: true, state: containers[slot].gathered, now: time)
            }
        case (.starting, .busy): retention.containerIsBusy(id, of: function)
        case (.idle, _): retention.containerTaken(id, of: function, now: time)
        case (_, .idle):
            retention.containerIsIdle(id, of: function, wasBusy: old == .busy, state: containers[slot].gathered, now: time)
        case (_, _): break
        }
    }

    // MARK: Making room

    /// Ends idle, then spare containers until `bytes` and `slots` are free or on their way to be; nobody, if that would not suffice.
    /// - Returns: whether they are.
    mutating func makeRoom(
        _ bytes: Int, slots: Int, in area: Int, for kind: Int, now: EngineInstant, actions: inout [PoolAction]
    ) -> Bool {
        let missing = areas[area].held - areas[area].ending + bytes - areas[area].limit
        let missingSlots = missingSlots(slots, in: area)
        if missing <= 0, missingSlots <= 0 { return true }
        guard area == Self.common else {
            guard areas[area].yieldingMemory >= missing, areas[area].yieldingCount >= missingSlots else { return false }
            endOldest(in: area, memory: missing, slots: missingSlots, for: kind, now: now, actions: &actions)
            return true
        }
        let spares = tally.ready
        guard areas[area].yieldingMemory + spares * configuration.spareMemory.bytes >= missing,
            areas[area].yieldingCount + spares >= missingSlots
        else { return false }
        let time = Self.seconds(now)
        if let victims = retention.victims(memory: Self.mebibytes(missing), slots: missingSlots, gain: .infinity, now: time) {
            for victim in victims { evict(victim, for: kind, now: now, actions: &actions) }
        } else {
            endOldest(in: area, memory: missing, slots: missingSlots, for: kind, now: now, actions: &actions)
        }
        while areas[area].held - areas[area].ending + bytes > areas[area].limit || self.missingSlots(slots, in: area) > 0,
            let spare = spareToEnd()
        {
            endInstance(spare, cause: .evicted, now: now, actions: &actions)
        }
        return true
    }

    /// Ends who a retention policy has named, if it is still idle.
    mutating func evict(_ victim: RetentionVictim, for kind: Int, now: EngineInstant, actions: inout [PoolAction]) {
        let slot: Int?
        switch victim {
        case .container(let id): slot = slots[id]
        case .leastRecent(let function): slot = leastRecent(of: function)
        }
        guard let slot, containers[slot].isYielding else { return }
        end(slot, cause: .evicted, evictedFor: kind, now: now, actions: &actions)
    }

    /// The function's container that has been idle for longest, of those that may be ended. O(its classes) where none is pinned.
    private func leastRecent(of function: Int) -> Int? {
        var oldest: Int?
        for kind in functions[function].classes {
            for list in [ClassList.ordinary, .mapped] {
                var slot = classes[kind].lists[list.rawValue].first
                while slot >= 0, !containers[slot].isYielding || containers[slot].area != Self.common { slot = classLinks.after[slot] }
                guard slot >= 0 else { continue }
                if oldest.map({ containers[slot].idleSince < containers[$0].idleSince }) ?? true { oldest = slot }
            }
        }
        return oldest
    }

    private mutating func endOldest(
        in area: Int, memory: Int, slots: Int, for kind: Int, now: EngineInstant, actions: inout [PoolAction]
    ) {
        var (missing, missingSlots) = (memory, slots)
        while missing > 0 || missingSlots > 0, !areas[area].yielding.isEmpty {
            let slot = areas[area].yielding.first
            missing -= containers[slot].memory
            missingSlots -= 1
            end(slot, cause: .evicted, evictedFor: kind, now: now, actions: &actions)
        }
    }

    /// Ends the account's container that has been idle for longest, so that it may be given another, unless one is ending already.
    /// - Returns: whether one is ending now.
    mutating func makeRoom(ofAccount account: Int, for kind: Int, now: EngineInstant, actions: inout [PoolAction]) -> Bool {
        guard accounts[account].endingCount == 0 else { return true }
        let slot = accounts[account].yielding.first
        guard slot >= 0 else { return false }
        end(slot, cause: .evicted, evictedFor: kind, now: now, actions: &actions)
        return true
    }

    /// The newest spare instance of the general sub-pool that has most of them.
    private func spareToEnd() -> InstanceID? {
        generalPools.joined().max { pools[$0].ready.count < pools[$1].ready.count }.flatMap { pools[$0].ready.last }
    }

    /// Ends idle containers of an area that holds more than it may, the longest idle first. What runs may finish.
    mutating func endSurplus(in area: Int, now: EngineInstant, actions: inout [PoolAction]) {
        while isOverfull(area), !areas[area].yielding.isEmpty {
            end(areas[area].yielding.first, cause: .evicted, now: now, actions: &actions)
        }
        while area == Self.common, isOverfull(area), let spare = spareToEnd() {
            endInstance(spare, cause: .evicted, now: now, actions: &actions)
        }
    }

    /// Whether it holds more memory than it may; what all share also, whether it holds slots that are promised.
    private func isOverfull(_ area: Int) -> Bool {
        areas[area].held - areas[area].ending > areas[area].limit || area == Self.common && missingSlots(0, in: area) > 0
    }
}
