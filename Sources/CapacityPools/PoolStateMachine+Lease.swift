public import EngineCore

// Leases: a caller takes a container, and gives it back.
extension PoolStateMachine {
    /// Takes a container for one call.
    ///
    /// - Parameter mayWait: whether the caller can wait; otherwise a shortage is answered with `noCapacity` at once.
    /// - Complexity: O(1) amortised, plus the containers evicted.
    public mutating func lease(_ kind: ContainerClass, mayWait: Bool, now: EngineInstant) -> (LeaseAnswer, [PoolAction]) {
        guard !isDraining else { return (.noCapacity, []) }
        var actions: [PoolAction] = []
        if let answer = place(kind, now: now, actions: &actions) { return (answer, actions) }
        guard mayWait, waiters.count < configuration.waitersMax, canEverHold(kind) else { return (.noCapacity, actions) }
        let waiter = Waiter(id: WaiterID(number: nextNumber()), kind: kind)
        waiters.append(waiter)
        return (.wait(waiter.id), actions)
    }

    /// Takes an idle container, if there is one. O(1).
    public mutating func leaseWarm(_ kind: ContainerClass) -> ContainerID? {
        isDraining ? nil : takeIdle(kind)
    }

    /// Whether a container of this class is idle. O(1).
    public func hasWarm(_ kind: ContainerClass) -> Bool { idle[kind] != nil }

    /// A waiting caller has gone. What it was given meanwhile must be released instead.
    /// - Returns: whether it was still waiting.
    public mutating func cancel(_ waiter: WaiterID) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// The container has its code and is about to run the call it was leased for.
    public mutating func containerStarted(_ id: ContainerID, now: EngineInstant) -> [PoolAction] {
        guard var container = containers[id], container.state == .starting else { return [] }
        startingCount -= 1
        busyCount += 1
        container.state = .busy
        containers[id] = container
        instances[container.instance]?.exists = true
        var actions: [PoolAction] = []
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// The call is over. `keep` returns the container to the idle ones; otherwise it is ended.
    public mutating func release(_ id: ContainerID, keep: Bool, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        guard let container = containers[id] else { return actions }
        switch container.state {
        case .busy where keep && !isDraining && !isRetired(container): makeIdle(id, now: now)
        case .busy, .starting: end(id, actions: &actions)
        case .spare, .idle, .ending: return actions
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    // MARK: -

    /// Warm, else a start if there is room now; else makes room and answers `nil`.
    mutating func place(_ kind: ContainerClass, now: EngineInstant, actions: inout [PoolAction]) -> LeaseAnswer? {
        if let id = takeIdle(kind) { return .warm(id) }
        guard startingCount < configuration.startsMax else { return nil }
        let spare = ready[kind.runtime]?.last
        // A spare container's place is taken over, so only the difference is needed.
        let relief = spare == nil ? ByteCount.zero : configuration.spareMemory
        guard makeRoom(for: kind.memory - relief, slots: spare == nil ? 1 : 0, actions: &actions) else { return nil }
        return .start(planStart(kind, now: now, actions: &actions))
    }

    private mutating func planStart(_ kind: ContainerClass, now: EngineInstant, actions: inout [PoolAction]) -> StartPlan {
        startingCount += 1
        if let instance = ready[kind.runtime]?.popLast(), let spare = instances[instance]?.containers.first {
            assign(instance, to: kind.account)
            memoryHeld += kind.memory - configuration.spareMemory
            containers[spare] = Container(instance: instance, state: .starting, kind: kind, memory: kind.memory)
            replenish(kind.runtime, now: now, actions: &actions)
            return StartPlan(kind: .instance, instance: instance, container: spare)
        }
        let container = ContainerID(number: nextNumber())
        let home = instanceWithRoom(kind)
        let instance = home ?? InstanceID(number: nextNumber())
        if home == nil {
            instances[instance] = Instance(runtime: kind.runtime, state: .assigned(kind.account), containers: [], exists: false)
            assigned[kind.account, default: []].insert(instance)
        }
        instances[instance]?.containers.insert(container)
        containers[container] = Container(instance: instance, state: .starting, kind: kind, memory: kind.memory)
        memoryHeld += kind.memory
        return StartPlan(kind: home == nil ? .newInstance : .container, instance: instance, container: container)
    }

    private mutating func assign(_ instance: InstanceID, to account: AccountID) {
        instances[instance]?.state = .assigned(account)
        assigned[account, default: []].insert(instance)
    }

    private func instanceWithRoom(_ kind: ContainerClass) -> InstanceID? {
        assigned[kind.account]?.first {
            guard let instance = instances[$0] else { return false }
            return instance.exists && instance.runtime == kind.runtime && instance.containers.count < configuration.containersPerInstanceMax
        }
    }

    private func isRetired(_ container: Container) -> Bool {
        guard !retired.isEmpty, let kind = container.kind else { return false }
        return retired.contains(kind.revision)
    }

    private func canEverHold(_ kind: ContainerClass) -> Bool { kind.memory <= configuration.memory }

    /// Serves who can be served, in order; one that cannot be placed is passed over.
    mutating func serveWaiters(now: EngineInstant, actions: inout [PoolAction]) {
        guard !waiters.isEmpty else { return }
        var left: [Waiter] = []
        for waiter in waiters {
            if !isDraining, let answer = place(waiter.kind, now: now, actions: &actions) {
                actions.append(.resume(waiter.id, answer))
            } else if isDraining {
                actions.append(.resume(waiter.id, .noCapacity))
            } else {
                left.append(waiter)
            }
        }
        waiters = left
    }
}
