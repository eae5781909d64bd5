internal import EngineCore

// Containers and instances from their making to their end. Every change of a container's state goes through `setState`, which keeps the
// counts; every end through `leaveService`, which says why.
extension PoolStateMachine {
    // MARK: Containers

    mutating func add(_ container: Container) -> Int {
        let slot = freeSlots.popLast() ?? containers.count
        if slot == containers.count { containers.append(container) } else { containers[slot] = container }
        containers[slot].state = .vacant
        slots[container.id] = slot
        tally.containers += 1
        if container.kind >= 0 { noteKind(of: slot, by: 1) }
        return slot
    }

    /// Counts a container of its class and function.
    mutating func noteKind(of slot: Int, by count: Int) {
        let kind = containers[slot].kind
        let function = classes[kind].function
        classes[kind].containers += count
        functions[function].containers += count
        if functions[function].isListedVacant || count < 0 { noteVacancy(function) }
    }

    /// Whether a call has it.
    private func isLeased(_ state: ContainerState, isAhead: Bool) -> Bool { state == .busy || state == .starting && !isAhead }

    /// - Parameter ran: how long the call ran that is over by this.
    mutating func setState(_ slot: Int, _ new: ContainerState, ran: Duration? = nil, now: EngineInstant) {
        let container = containers[slot]
        let old = container.state
        if let list = container.list {
            classLinks.remove(slot, from: &classes[container.kind].lists[list.rawValue])
            containers[slot].list = nil
        }
        count(old, container, by: -1)
        count(new, container, by: 1)
        containers[slot].state = new
        if old == .busy { ledger.changeExecuting(container.row, by: -1, now: now) }
        if new == .busy { ledger.changeExecuting(container.row, by: 1, now: now) }
        guard container.kind >= 0 else { return }
        let entry = container.kind
        let (was, isNow) = (isLeased(old, isAhead: container.isAhead), isLeased(new, isAhead: container.isAhead))
        if was != isNow {
            names[classes[entry].name].running += isNow ? 1 : -1
            if isNow { callBegan(classes[entry].function) } else { callEnded(classes[entry].function, ran: ran, now: now) }
        }
        let (lived, lives) = (old != .vacant && old != .ending && old != .spare, new != .vacant && new != .ending)
        if lived != lives { functions[classes[entry].function].live += lives ? 1 : -1 }
    }

    private mutating func count(_ state: ContainerState, _ container: Container, by count: Int) {
        switch state {
        case .vacant, .spare: break
        case .starting: tally.starting += count
        case .idle: tally.idle += count
        case .busy: tally.busy += count
        case .ending:
            tally.ending += count
            areas[container.area].ending += count * container.memory
            areas[container.area].endingCount += count
            guard container.account >= 0 else { return }
            accounts[container.account].endingCount += count
            accounts[container.account].ending += count * container.memory
        }
    }

    /// It serves no more; `now` is when that was decided.
    private mutating func leaveService(
        _ slot: Int, cause: ColdCause, evictedFor: Int = -1, now: EngineInstant
    ) {
        let container = containers[slot]
        leaveDedicated(slot)
        if container.kind >= 0 {
            functions[classes[container.kind].function].gone = Gone(
                cause: cause, at: now,
                idleFor: container.state == .idle ? now - container.idleSince : nil,
                evictedFor: evictedFor < 0 ? nil : classes[evictedFor].kind.function.name, memory: container.memory)
            if container.isMapped { affinity.containerEnded(container.id, leavesGone: cause != .expired) }
            containers[slot].isMapped = false
            if waiters.count(at: container.id) > 0 { strayed += waiters.all(at: container.id).map(\.id) }
        }
        setState(slot, .ending, now: now)
        containers[slot].isAhead = false
        if container.kind >= 0 { noteYielding(slot, now: now) }
    }

    /// Starts to end a container; what it holds is given back when it has ended. The last one of its instance ends with it.
    mutating func end(_ slot: Int, cause: ColdCause, evictedFor: Int = -1, now: EngineInstant, actions: inout [PoolAction]) {
        let container = containers[slot]
        guard container.state != .ending, container.state != .vacant, let instance = instances[container.instance] else { return }
        if instance.containers.allSatisfy({ $0 == slot || containers[$0].state == .ending }) {
            return endInstance(container.instance, cause: cause, evictedFor: evictedFor, now: now, actions: &actions)
        }
        leaveService(slot, cause: cause, evictedFor: evictedFor, now: now)
        actions.append(.killContainer(container.id))
    }

    /// Everything of it is gone.
    mutating func forget(_ slot: Int, cause: ColdCause, now: EngineInstant) {
        if containers[slot].state != .ending { leaveService(slot, cause: cause, now: now) }
        let container = containers[slot]
        setState(slot, .vacant, now: now)
        charge(pool: container.pool, account: container.account, row: container.row, bytes: -container.memory, containers: -1, now: now)
        tally.containers -= 1
        slots[container.id] = nil
        freeSlots.append(slot)
        instances[container.instance]?.containers.removeAll { $0 == slot }
        noteRoom(container.instance)
        if container.kind >= 0 {
            noteKind(of: slot, by: -1)
            forgetIfUnused(classIndex: container.kind)
            if waiters.hasAny(ofAccount: container.account) { relieved.insert(container.account) }
        }
        if case .variable? = pools[container.pool].id { variableHasChanged = true }
    }

    // MARK: Instances

    mutating func addInstance(
        runtime: Int, pool: Int, account: Int, state: InstanceState, bornAt: EngineInstant, id: InstanceID? = nil, now: EngineInstant
    ) -> InstanceID {
        let id = id ?? InstanceID(number: nextNumber())
        let row = ledgerRow(account: account, pool: pool)
        instances[id] = Instance(
            runtime: runtime, pool: pool, state: state, account: account, row: row, containers: [], exists: false, bornAt: bornAt)
        ledger.change(row, CapacityLedger.Change(instances: 1), now: now)
        pools[pool].instances += 1
        if account >= 0 {
            accounts[account].instances += 1
            pools[pool].active += 1
        }
        // Give or take a tenth, by its number, so that those made together do not leave together.
        let spread = Double((id.number &* 0x9E37_79B9_7F4A_7C15) >> 40) / Double(1 << 24)
        agenda.add(.lifetime(id), at: bornAt + configuration.instanceLifetimeMax * (0.9 + 0.2 * spread))
        forgetPast()
        return id
    }

    /// What the agenda keeps beyond twice what there is. O(agenda), after as many entries have been added as are looked at.
    private mutating func forgetPast() {
        guard agenda.count > 2 * (instances.count + tally.containers + waiters.count + pools.count) + Self.agendaMin else { return }
        agenda.keep { event in
            switch event {
            case .idle(let slot, let id): containers[slot].id == id && containers[slot].state != .vacant
            case .lifetime(let id): instances[id] != nil
            case .waiter(let id): waiters[id] != nil
            case .reclaim, .loan: true
            }
        }
    }

    /// Ends an instance with what it holds, unless it is ending already.
    mutating func endInstance(
        _ id: InstanceID, cause: ColdCause, evictedFor: Int = -1, now: EngineInstant, actions: inout [PoolAction]
    ) {
        guard let instance = instances[id], instance.state != .ending else { return }
        leavePool(id, instance)
        instances[id]?.state = .ending
        noteRoom(id)
        for slot in instance.containers where containers[slot].state != .ending {
            leaveService(slot, cause: cause, evictedFor: evictedFor, now: now)
        }
        actions.append(.killInstance(id))
    }

    private mutating func leavePool(_ id: InstanceID, _ instance: Instance) {
        switch instance.state {
        case .booting:
            pools[instance.pool].booting -= 1
            tally.booting -= 1
        case .ready: leaveReady(id, instance.pool)
        case .assigned: pools[instance.pool].active -= 1
        case .ending: break
        }
    }

    /// A spare instance is spare no more.
    mutating func leaveReady(_ id: InstanceID, _ pool: Int) {
        pools[pool].ready.removeAll { $0 == id }
        tally.ready -= 1
    }

    /// Everything of the instance is gone, for whatever reason, its containers included.
    mutating func forget(_ id: InstanceID, cause: ColdCause, now: EngineInstant) {
        guard let instance = instances[id] else { return }
        for slot in instance.containers { forget(slot, cause: cause, now: now) }
        leavePool(id, instance)
        if instance.place >= 0 { leaveRoomy(id, instance) }
        instances[id] = nil
        ledger.change(instance.row, CapacityLedger.Change(instances: -1), now: now)
        pools[instance.pool].instances -= 1
        if instance.account >= 0 {
            accounts[instance.account].instances -= 1
            if waiters.hasAny(ofAccount: instance.account) { relieved.insert(instance.account) }
            forgetIfUnused(account: instance.account)
        }
        dropIfRemoved(instance.pool)
    }

    // MARK: Room in instances

    /// The sub-pool whose calls may share an instance of this one.
    func group(of pool: Int) -> Int {
        switch pools[pool].id {
        case nil, .general: Self.common
        case .dedicated, .fixed, .variable: pool
        }
    }

    /// Lists the instance among those of its account that have room for one more container, or takes it out, as it is.
    mutating func noteRoom(_ id: InstanceID) {
        guard let instance = instances[id] else { return }
        let hasRoom =
            instance.state == .assigned && instance.exists && !instance.isLeaving
            && instance.containers.count < configuration.containersPerInstanceMax
        guard hasRoom != (instance.place >= 0) else { return }
        guard hasRoom else { return leaveRoomy(id, instance) }
        let key = RoomKey(account: instance.account, runtime: instance.runtime, group: group(of: instance.pool))
        instances[id]?.place = roomy[key]?.count ?? 0
        roomy[key, default: []].append(id)
        if waiters.hasAny(ofAccount: instance.account) { relieved.insert(instance.account) }
    }

    private mutating func leaveRoomy(_ id: InstanceID, _ instance: Instance) {
        let key = RoomKey(account: instance.account, runtime: instance.runtime, group: group(of: instance.pool))
        guard let last = roomy[key]?.popLast() else { return }
        if last != id {
            roomy[key]?[instance.place] = last
            instances[last]?.place = instance.place
        }
        if roomy[key]?.isEmpty == true { roomy[key] = nil }
        instances[id]?.place = -1
    }
}
