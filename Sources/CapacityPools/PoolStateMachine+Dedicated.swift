internal import DequeModule
public import EngineCore

// Containers that are ready before they are asked for, for one function alone.
extension PoolStateMachine {
    /// Keeps so many containers of this class started and initialised ahead of calls, for its function alone (POOL-04).
    ///
    /// Another revision of the function takes the place of the one before, whose idle containers end. Zero ends it.
    /// - Parameter permission: the account's: whether it may be given capacity, and how much. Reached: fewer are kept than `count`.
    /// - Complexity: O(containers) when fewer, or others, are wanted.
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
        let slots = before != index || pools[pool].live > pools[pool].target ? containers.indices : 0..<0
        for slot in slots where containers[slot].isDedicated && containers[slot].pool == pool {
            guard containers[slot].kind != index || pools[pool].live > pools[pool].target else { continue }
            leaveDedicated(slot)
            if containers[slot].state == .idle { end(slot, cause: .changed, now: now, actions: &actions) }
        }
        if before >= 0, before != index { forgetIfUnused(classIndex: before) }
        pools[pool].retryAt = nil
        pools[pool].failures = 0
        serveDedicatedWaiters(function, now: now, actions: &actions)
        serveWaiters(now: now, actions: &actions)
        replenish(pool, now: now, actions: &actions)
        noteShort(pool)
        dropIfRemoved(pool)
        return actions
    }

    /// What an account may take has changed: what is dedicated to it is brought to its target as far as that permits. What it holds is
    /// not taken from it. O(sub-pools).
    public mutating func permissionChanged(
        of account: AccountID, to permission: CapacityPermission, now: EngineInstant
    ) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let account = accountIndex[account] else { return actions }
        for pool in pools.indices where pools[pool].kind >= 0 && classes[pools[pool].kind].account == account {
            pools[pool].permission = permission
            replenish(pool, now: now, actions: &actions)
        }
        return actions
    }

    /// The container no longer counts towards its sub-pool's target.
    mutating func leaveDedicated(_ slot: Int) {
        guard containers[slot].isDedicated else { return }
        containers[slot].isDedicated = false
        pools[containers[slot].pool].live -= 1
        noteShort(containers[slot].pool)
    }

    /// Lists a dedicated sub-pool that is below its target, to be looked at as time passes.
    mutating func noteShort(_ pool: Int) {
        guard pools[pool].kind >= 0, pools[pool].live < pools[pool].target, !pools[pool].isListedShort else { return }
        pools[pool].isListedShort = true
        shortPools.append(pool)
    }

    /// Of the dedicated sub-pools below their target, so many are looked at each time, in turn.
    static let shortLookMax = 64

    /// Brings dedicated sub-pools to their targets. O(``shortLookMax``), whatever there is besides.
    mutating func replenishShort(now: EngineInstant, actions: inout [PoolAction]) {
        for _ in 0..<min(shortPools.count, Self.shortLookMax) {
            guard let pool = shortPools.popFirst() else { return }
            // Its place may be another's by now.
            guard pools[pool].isListedShort else { continue }
            pools[pool].isListedShort = false
            replenish(pool, now: now, actions: &actions)
            noteShort(pool)
        }
    }

    /// Who waits for a dedicated container of the function is looked at anew: there may be none any more, or for another revision.
    mutating func serveDedicatedWaiters(_ function: Int, now: EngineInstant, actions: inout [PoolAction]) {
        for waiter in waiters.all where waiter.reason == .dedicated && classes[waiter.kind].function == function {
            if let still = waiters[waiter.id] { _ = serve(still, now: now, actions: &actions) }
        }
    }
}
