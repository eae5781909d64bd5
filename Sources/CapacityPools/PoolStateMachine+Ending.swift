internal import DequeModule
public import EngineCore

// What ends before its time, what may not, and what has outlived another process.
extension PoolStateMachine {
    // MARK: Instances of their age

    /// The instance serves no new call: what is idle ends, what runs finishes, and what is to be ready is made anew (POOL-22).
    mutating func retire(_ id: InstanceID, now: EngineInstant, actions: inout [PoolAction]) {
        guard let instance = instances[id], instance.state != .ending else { return }
        instances[id]?.isLeaving = true
        noteRoom(id)
        guard instance.state == .assigned else {
            if instance.state == .ready { endInstance(id, cause: .expired, now: now, actions: &actions) }
            return
        }
        for slot in instance.containers where containers[slot].state != .ending {
            if !containers[slot].isLeaving { containers[slot].leavingCause = .ended }
            containers[slot].isLeaving = true
            // It no longer counts, so that another is made at once.
            leaveDedicated(slot)
            // Not by its keep-alive: callers whose state it had hear that it is gone.
            if containers[slot].state == .idle { end(slot, cause: .ended, now: now, actions: &actions) }
        }
    }

    /// The instance has failed a check of its health: as if its time were over.
    public mutating func unhealthy(_ id: InstanceID, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let instance = instances[id] else { return actions }
        if instance.state == .booting {
            endInstance(id, cause: .killed, now: now, actions: &actions)
        } else {
            retire(id, now: now, actions: &actions)
        }
        serveWaiters(now: now, actions: &actions)
        replenish(instance.pool, now: now, actions: &actions)
        return actions
    }

    // MARK: The operator

    /// Ends an instance with all that runs in it; the calls are answered as the engine's doing.
    public mutating func kill(_ id: InstanceID, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        endInstance(id, cause: .killed, now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// Ends a container, busy or not.
    public mutating func kill(_ id: ContainerID, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let slot = slots[id] else { return actions }
        end(slot, cause: .killed, now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// A pinned container is neither ended for room nor by its keep-alive.
    /// - Returns: whether it is there.
    public mutating func pin(_ id: ContainerID, _ isPinned: Bool, now: EngineInstant) -> Bool {
        guard let slot = slots[id], containers[slot].kind >= 0, containers[slot].state != .ending else { return false }
        containers[slot].isPinned = isPinned
        noteYielding(slot, now: now)
        watch(slot)
        return true
    }

    /// Ends the containers of one revision, because the owner has replaced or deleted it: idle ones now, those that run once they
    /// have finished. O(classes). The newest ``retiredMax`` revisions are remembered.
    public mutating func retire(revision: String, now: EngineInstant) -> [PoolAction] {
        if retired.insert(revision).inserted {
            retiredOrder.append(revision)
            if retiredOrder.count > Self.retiredMax { retired.remove(retiredOrder.removeFirst()) }
        }
        var actions: [PoolAction] = []
        for kind in classes.indices where !classes[kind].isVacant && classes[kind].kind.revision == revision {
            classes[kind].isRetired = true
            for list in [ClassList.ordinary, .dedicated, .mapped] {
                for slot in classLinks.slots(of: classes[kind].lists[list.rawValue]) {
                    end(slot, cause: .changed, now: now, actions: &actions)
                }
            }
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// Containers of a retired revision may be kept again: it runs in place of one that cannot. O(1), and O(classes + ``retiredMax``) if
    /// it was retired.
    public mutating func reinstate(revision: String) {
        guard retired.remove(revision) != nil else { return }
        retiredOrder.removeAll { $0 == revision }
        for kind in classes.indices where !classes[kind].isVacant && classes[kind].kind.revision == revision {
            classes[kind].isRetired = false
        }
    }

    /// Takes nothing new, ends what is idle or spare and answers who waits. What runs may finish.
    public mutating func drain(now: EngineInstant) -> [PoolAction] {
        isDraining = true
        var actions: [PoolAction] = []
        for waiter in waiters.all { resume(waiter.id, .refused(.noCapacity), &actions) }
        pendingAhead.removeAll()
        for slot in containers.indices where containers[slot].state == .idle || containers[slot].isAhead {
            end(slot, cause: .expired, now: now, actions: &actions)
        }
        for pool in pools.indices {
            for spare in pools[pool].ready { endInstance(spare, cause: .expired, now: now, actions: &actions) }
        }
        return actions
    }

    /// Ends everything that runs and answers who waits: the time to drain is over. Nothing begins any more.
    public mutating func endAll(now: EngineInstant) -> [PoolAction] {
        isDraining = true
        var actions: [PoolAction] = []
        for waiter in waiters.all { resume(waiter.id, .refused(.noCapacity), &actions) }
        pendingAhead.removeAll()
        for slot in containers.indices { end(slot, cause: .killed, now: now, actions: &actions) }
        return actions
    }

    // MARK: Adopting

    /// Takes over a container that outlived the process that started it, as an idle one; or ends it, when there is no room for it.
    ///
    /// Its numbers are those that the process before had given, and this one gives only higher ones.
    public mutating func adopt(_ adopted: AdoptedContainer, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        let (id, instanceID) = (ContainerID(number: adopted.container), InstanceID(number: adopted.instance))
        skipNumbers(to: max(adopted.container, adopted.instance))
        let bytes = adopted.kind.memory.bytes
        let kind = intern(adopted.kind)
        let account = classes[kind].account
        let known = adopted.subPool.flatMap { poolIndex[$0] }.flatMap { pools[$0].isRemoved ? nil : $0 }
        let pool = known ?? Self.common
        let area = pools[pool].area
        let isFitting = instances[instanceID].map { $0.account == account && $0.state == .assigned && $0.pool == pool } ?? true
        // What is fixed or variable is not charged to what all share when its sub-pool is not there.
        let hasPool =
            switch adopted.subPool {
            case .fixed?, .variable?: known != nil
            case .general?, .dedicated?, nil: true
            }
        guard slots[id] == nil, hasPool, isFitting, !isDraining, !classes[kind].isRetired, fits(bytes, slots: 1, in: area) else {
            return [.killContainer(id)]
        }
        if instances[instanceID] == nil {
            _ = addInstance(
                runtime: classes[kind].runtime, pool: pool, account: account, state: .assigned, bornAt: adopted.bornAt, id: instanceID,
                now: now)
            instances[instanceID]?.exists = true
        }
        let row = ledgerRow(account: account, pool: pool)
        var container = Container(
            id: id, instance: instanceID, kind: kind, account: account, pool: pool, area: area, row: row, memory: bytes)
        container.home = adopted.home
        container.gathered = Self.mebibytes(adopted.state.bytes)
        container.startedAt = adopted.bornAt
        if pools[pool].kind == kind, pools[pool].live < pools[pool].target {
            container.isDedicated = true
            pools[pool].live += 1
        }
        let slot = add(container)
        charge(pool: pool, account: account, row: row, bytes: bytes, containers: 1, now: now)
        instances[instanceID]?.containers.append(slot)
        noteRoom(instanceID)
        setState(slot, .idle, now: now)
        makeIdle(slot, now: adopted.idleSince)
        handOn(kind, now: now, actions: &actions)
        return actions
    }
}
