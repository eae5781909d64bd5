public import EngineCore

// Containers that are ready before they are asked for, for one function alone.
extension PoolStateMachine {
    /// Keeps so many containers of this class started and initialised ahead of calls, for its function alone (POOL-04).
    ///
    /// Another revision of the function takes the place of the one before, whose idle containers end. Zero ends it.
    /// - Parameter permission: the account's: whether it may be given capacity, and how much. Reached: fewer are kept than `count`.
    /// - Complexity: O(containers) when fewer are wanted.
    public mutating func dedicate(
        _ kind: ContainerClass, count: Int, permission: CapacityPermission = .standard, now: EngineInstant
    ) -> [PoolAction] {
        var actions: [PoolAction] = []
        let index = intern(kind)
        let function = classes[index].function
        let id = SubPoolID.dedicated(kind.function, kind.version)
        let pool = poolIndex[id] ?? addPool(SubPool(id: id, area: Self.common))
        pools[pool].isRemoved = count <= 0
        pools[pool].floor = max(count, 0)
        pools[pool].ceiling = max(count, 0)
        pools[pool].target = max(count, 0)
        functions[function].dedicated = count > 0 ? pool : -1
        noteVacancy(function)
        let before = pools[pool].kind
        pools[pool].kind = index
        pools[pool].permission = permission
        for slot in containers.indices where containers[slot].isDedicated && containers[slot].pool == pool {
            guard containers[slot].kind != index || pools[pool].live > pools[pool].target else { continue }
            pools[pool].live -= 1
            containers[slot].isDedicated = false
            if containers[slot].state == .idle { end(slot, cause: .changed, now: now, actions: &actions) }
        }
        if before >= 0, before != index { forgetIfUnused(classIndex: before) }
        pools[pool].retryAt = nil
        pools[pool].failures = 0
        serveDedicatedWaiters(function, now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        replenish(pool, now: now, actions: &actions)
        dropIfRemoved(pool)
        return actions
    }

    /// Who waits for a dedicated container of the function is looked at anew: there may be none any more, or for another revision.
    mutating func serveDedicatedWaiters(_ function: Int, now: EngineInstant, actions: inout [PoolAction]) {
        for waiter in waiters.all where waiter.reason == .dedicated && classes[waiter.kind].function == function {
            if let still = waiters[waiter.id] { _ = serve(still, now: now, actions: &actions) }
        }
    }
}
