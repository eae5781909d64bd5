public import EngineCore

// Leases: a caller takes a container, and gives it back.
extension PoolStateMachine {
    /// Takes a container for one call.
    ///
    /// - Parameters:
    ///   - mayWait: whether the caller can wait; otherwise a shortage is answered with `noCapacity` at once.
    ///   - home: the caller's; a container that has the same is preferred.
    /// - Complexity: O(1) amortised, plus the containers evicted.
    public mutating func lease(
        _ kind: ContainerClass, mayWait: Bool, home: ObjectIdentifier? = nil, now: EngineInstant
    ) -> (LeaseAnswer, [PoolAction]) {
        guard !isDraining else { return (.noCapacity, []) }
        var actions: [PoolAction] = []
        // Nobody comes before those who wait for the same.
        if !waiters.hasAny(of: kind), let answer = place(kind, home: home, now: now, actions: &actions) { return (answer, actions) }
        guard mayWait, waiters.count < configuration.waitersMax, canEverHold(kind) else { return (.noCapacity, actions) }
        let waiter = WaiterID(number: nextNumber())
        waiters.append(WaiterQueues.Waiter(id: waiter, kind: kind, since: now))
        return (.wait(waiter), actions)
    }

    /// Takes an idle container, if there is one; one at the caller's home if that is among the newest. O(1).
    public mutating func leaseWarm(_ kind: ContainerClass, home: ObjectIdentifier? = nil) -> ContainerID? {
        isDraining ? nil : takeIdle(kind, home: home)
    }

    /// Whether a container of this class is idle. O(1).
    public func hasWarm(_ kind: ContainerClass) -> Bool { idle[kind] != nil }

    /// A waiting caller has gone. What it was given meanwhile must be released instead.
    /// - Returns: whether it was still waiting.
    public mutating func cancel(_ waiter: WaiterID) -> Bool {
        waiters.remove(waiter)
    }

    /// The container has its code and is about to run the call it was leased for.
    ///
    /// - Parameter home: where its events are handled.
    public mutating func containerStarted(_ id: ContainerID, home: ObjectIdentifier? = nil, now: EngineInstant) -> [PoolAction] {
        guard var container = containers[id], container.state == .starting else { return [] }
        startingCount -= 1
        busyCount += 1
        lastStart = now
        container.state = .busy
        container.home = home
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
        case .busy where keep && !isDraining && !isRetired(container):
            makeIdle(id, now: now)
            if let kind = container.kind { handOn(kind, now: now, actions: &actions) }
        case .busy, .starting: end(id, actions: &actions)
        case .spare, .idle, .ending: return actions
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    // MARK: -

    /// Warm, else a start if there is room now; else makes room and answers `nil`.
    mutating func place(
        _ kind: ContainerClass, home: ObjectIdentifier? = nil, now: EngineInstant, actions: inout [PoolAction]
    ) -> LeaseAnswer? {
        if let id = takeIdle(kind, home: home) { return .warm(id) }
        guard startingCount < configuration.startsMax else { return nil }
        let spare = kind.usesSpares ? ready[kind.runtime]?.last : nil
        // A spare container's place is taken over, so only the difference is needed.
        let relief = spare == nil ? ByteCount.zero : configuration.spareMemory
        guard makeRoom(for: kind.memory - relief, slots: spare == nil ? 1 : 0, actions: &actions) else { return nil }
        return .start(planStart(kind, home: home, now: now))
    }

    private mutating func planStart(_ kind: ContainerClass, home: ObjectIdentifier?, now: EngineInstant) -> StartPlan {
        startingCount += 1
        lastStart = now
        if kind.usesSpares, let instance = takeReady(kind.runtime, home: home), let spare = instances[instance]?.containers.first {
            assign(instance, to: kind.account)
            memoryHeld += kind.memory - configuration.spareMemory
            containers[spare] = Container(instance: instance, state: .starting, kind: kind, memory: kind.memory)
            if lacking[kind.runtime] == nil { lacking[kind.runtime] = now }
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

    /// Of the newest instances of the warming pool, one whose spare container is at `home`, or else the newest.
    private mutating func takeReady(_ runtime: String, home: ObjectIdentifier?) -> InstanceID? {
        guard let index = newestReady(runtime, home: home) else { return nil }
        return ready[runtime]?.remove(at: index)
    }

    private func newestReady(_ runtime: String, home: ObjectIdentifier?) -> Int? {
        guard let ids = ready[runtime], !ids.isEmpty else { return nil }
        let atHome = ids.indices.suffix(Self.homeLookMax).last { index in
            instances[ids[index]]?.containers.first.flatMap { containers[$0]?.home } == home
        }
        return home == nil ? ids.count - 1 : atHome ?? ids.count - 1
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

    /// How long somebody else must have waited to be served before those who wait for the class of a container that is given back.
    static let patienceMax = Duration.milliseconds(100)

    /// A container of this class has become idle: who waits for the same gets it as it is, unless that would let others starve.
    private mutating func handOn(_ kind: ContainerClass, now: EngineInstant, actions: inout [PoolAction]) {
        guard waiters.hasAny(of: kind) else { return }
        if let first = waiters.first(), now - first.since >= Self.patienceMax { serveWaiters(now: now, actions: &actions) }
        guard waiters.hasAny(of: kind), let id = takeIdle(kind, home: nil), let waiter = waiters.popFirst(of: kind) else { return }
        actions.append(.resume(waiter, .warm(id)))
    }

    /// Serves who can be served, the longest waiting first; one that cannot be placed is passed over with those of its size.
    /// O(sizes) for each one served.
    mutating func serveWaiters(now: EngineInstant, actions: inout [PoolAction]) {
        var round = WaiterQueues.Round()
        while startingCount < configuration.startsMax, let next = waiters.first(round) {
            guard let answer = place(next.kind, now: now, actions: &actions) else {
                round.pass(next)
                continue
            }
            // Of those who wait for the same, it is the first.
            if let waiter = waiters.popFirst(of: next.kind) { actions.append(.resume(waiter, answer)) }
        }
    }
}
