internal import DequeModule
public import EngineCore

// Instances come and go; containers end.
extension PoolStateMachine {
    /// What time brings: idle containers whose time is over, spares whose time has come. To be called
    /// when the launcher is ready and every few dozen milliseconds. O(runtimes) when there is nothing to do.
    public mutating func tick(now: EngineInstant) -> [PoolAction] {
        var actions = expireIdle(now: now)
        for runtime in runtimes { replenish(runtime, now: now, actions: &actions) }
        return actions
    }

    /// A booting instance is ready to be assigned.
    ///
    /// - Parameter home: see ``containerStarted(_:home:now:)``.
    public mutating func instanceReady(_ id: InstanceID, home: ObjectIdentifier? = nil, now: EngineInstant) -> [PoolAction] {
        guard let instance = instances[id], case .booting = instance.state else { return [] }
        var actions: [PoolAction] = []
        booting[instance.runtime, default: 1] -= 1
        bootFailures[instance.runtime] = nil
        instances[id]?.state = .ready
        if let spare = instance.containers.first { containers[spare]?.home = home }
        instances[id]?.exists = true
        ready[instance.runtime, default: []].append(id)
        if isDraining {
            endInstance(id, actions: &actions)
        } else {
            serveWaiters(now: now, actions: &actions)
            replenish(instance.runtime, now: now, actions: &actions)
        }
        return actions
    }

    /// Everything of the instance is gone, for whatever reason, its containers included.
    public mutating func instanceEnded(_ id: InstanceID, now: EngineInstant) -> [PoolAction] {
        guard let instance = instances[id] else { return [] }
        var actions: [PoolAction] = []
        for container in instance.containers { forget(container) }
        switch instance.state {
        case .booting:
            booting[instance.runtime, default: 1] -= 1
            noteBootFailure(instance.runtime, now: now)
        case .ready:
            ready[instance.runtime]?.removeAll { $0 == id }
        case .assigned(let account):
            unassign(id, from: account)
        case .ending:
            break
        }
        instances[id] = nil
        serveWaiters(now: now, actions: &actions)
        replenish(instance.runtime, now: now, actions: &actions)
        return actions
    }

    /// Everything of the container is gone, or its start has failed.
    public mutating func containerEnded(_ id: ContainerID, now: EngineInstant) -> [PoolAction] {
        guard let container = containers[id] else { return [] }
        var actions: [PoolAction] = []
        forget(id)
        instances[container.instance]?.containers.remove(id)
        if let instance = instances[container.instance], instance.containers.isEmpty {
            if case .booting = instance.state { noteBootFailure(instance.runtime, now: now) }
            endInstance(container.instance, actions: &actions)
        }
        serveWaiters(now: now, actions: &actions)
        return actions
    }

    /// Takes nothing new, ends what is idle or spare and answers who waits. What runs may finish.
    public mutating func drain() -> [PoolAction] {
        isDraining = true
        var actions = waiters.removeAll().map { PoolAction.resume($0, .noCapacity) }
        while let entry = idleOrder.popFirst() {
            if isCurrent(entry) { end(entry.container, actions: &actions) }
        }
        for id in ready.values.joined() { endInstance(id, actions: &actions) }
        return actions
    }

    /// Ends everything that runs: the time to drain is over.
    public mutating func endAll() -> [PoolAction] {
        var actions: [PoolAction] = []
        for id in containers.keys { end(id, actions: &actions) }
        return actions
    }

    // MARK: -

    /// Starts to end a container; what it holds is given back when it has ended. The last one of its instance ends with it.
    mutating func end(_ id: ContainerID, actions: inout [PoolAction]) {
        guard let container = containers[id], container.state != .ending else { return }
        let others = instances[container.instance]?.containers ?? []
        if others.allSatisfy({ $0 == id || containers[$0]?.state == .ending }) {
            return endInstance(container.instance, actions: &actions)
        }
        leave(id, container)
        containers[id]?.state = .ending
        memoryEnding += container.memory
        endingCount += 1
        actions.append(.killContainer(id))
    }

    /// Ends an instance with what it holds, unless it is ending already.
    mutating func endInstance(_ id: InstanceID, actions: inout [PoolAction]) {
        guard let instance = instances[id] else { return }
        switch instance.state {
        case .booting: booting[instance.runtime, default: 1] -= 1
        case .ready: ready[instance.runtime]?.removeAll { $0 == id }
        case .assigned(let account): unassign(id, from: account)
        case .ending: return
        }
        for container in instance.containers {
            guard let held = containers[container], held.state != .ending else { continue }
            leave(container, held)
            containers[container]?.state = .ending
            memoryEnding += held.memory
            endingCount += 1
        }
        instances[id]?.state = .ending
        actions.append(.killInstance(id))
    }

    private mutating func unassign(_ id: InstanceID, from account: AccountID) {
        assigned[account]?.remove(id)
        if assigned[account]?.isEmpty == true { assigned[account] = nil }
    }

    private mutating func forget(_ id: ContainerID) {
        guard let container = containers[id] else { return }
        leave(id, container)
        containers[id] = nil
        memoryHeld -= container.memory
    }

    /// Takes the container out of the counts and lists of its state.
    private mutating func leave(_ id: ContainerID, _ container: Container) {
        switch container.state {
        case .spare: break
        case .starting: startingCount -= 1
        case .busy: busyCount -= 1
        case .ending:
            memoryEnding -= container.memory
            endingCount -= 1
        case .idle:
            idleCount -= 1
            idleMemory -= container.memory
            guard let kind = container.kind, let index = idle[kind]?.firstIndex(where: { $0.container == id }) else { return }
            idle[kind]?.remove(at: index)
            if idle[kind]?.isEmpty == true { idle[kind] = nil }
        }
    }

    private mutating func noteBootFailure(_ runtime: String, now: EngineInstant) {
        let count = (bootFailures[runtime]?.count ?? 0) + 1
        let delay = configuration.bootRetryDelay * (1 << min(count - 1, 6))
        bootFailures[runtime] = (count, now + delay)
    }
}

// What is held, and whether the books are right.
extension PoolStateMachine {
    /// Whether the container is known, in whatever state.
    public func contains(_ id: ContainerID) -> Bool { containers[id] != nil }

    /// What a call of this class would find now. What is idle, spare or ending counts as free: it gives way. O(runtimes).
    public func availability(_ kind: ContainerClass) -> PoolAvailability {
        let spare = ready.values.reduce(0) { $0 + $1.count }
        let yielding = idleMemory + memoryEnding + ByteCount(spare * configuration.spareMemory.bytes)
        return PoolAvailability(
            hasWarm: hasWarm(kind),
            freeMemory: configuration.memory - memoryHeld + yielding,
            freeSlots: configuration.containersMax - busyCount - startingCount)
    }

    public var counts: PoolCounts {
        var counts = PoolCounts()
        counts.memoryHeld = memoryHeld
        counts.instances = instances.count
        counts.instancesBooting = booting.values.reduce(0, +)
        counts.instancesReady = ready.values.reduce(0) { $0 + $1.count }
        counts.containers = containers.count
        counts.starting = startingCount
        counts.idle = idleCount
        counts.busy = busyCount
        counts.waiting = waiters.count
        return counts
    }

    /// What is wrong with the books, in a sentence; `nil` if nothing. O(everything): for tests and sampling.
    public func brokenInvariant() -> String? {
        let held = containers.values.reduce(ByteCount.zero) { $0 + $1.memory }
        if held != memoryHeld { return "the ledger says \(memoryHeld), the containers hold \(held)" }
        if memoryHeld > configuration.memory { return "\(memoryHeld) are held of \(configuration.memory)" }
        if containers.count > configuration.containersMax { return "\(containers.count) containers are over the limit" }
        if let fault = misplacedInstance() { return fault }
        var starting = 0, busy = 0, idling = 0
        for (id, container) in containers {
            guard let instance = instances[container.instance] else { return "container \(id.number) has no instance" }
            guard instance.containers.contains(id) else { return "container \(id.number) is unknown to its instance" }
            switch container.state {
            case .starting: starting += 1
            case .busy: busy += 1
            case .idle: idling += 1
            case .spare, .ending: break
            }
            if case .assigned(let account) = instance.state, let kind = container.kind, kind.account != account {
                return "an instance of \(account) holds a container of \(kind.account)"
            }
        }
        if (starting, busy, idling) != (startingCount, busyCount, idleCount) { return "a count is off" }
        let idleBytes = containers.values.reduce(0) { sum, container in
            guard case .idle = container.state else { return sum }
            return sum + container.memory.bytes
        }
        if idleBytes != idleMemory.bytes { return "\(idleBytes) bytes are idle, the ledger says \(idleMemory.bytes)" }
        if idle.values.reduce(0, { $0 + $1.count }) != idleCount { return "the idle lists and the idle count differ" }
        if idle.keys.contains(where: { waiters.hasAny(of: $0) }) { return "a container is idle, and somebody waits for its class" }
        return nil
    }

    /// An instance that is not in exactly the one pool that its state says (POOL-01).
    private func misplacedInstance() -> String? {
        for (id, instance) in instances {
            let isReady = ready[instance.runtime]?.contains(id) == true
            let owners = assigned.filter { $0.value.contains(id) }.keys
            let isRight =
                switch instance.state {
                case .booting, .ending: !isReady && owners.isEmpty
                case .ready: isReady && owners.isEmpty
                case .assigned(let account): !isReady && owners.elementsEqual([account])
                }
            if !isRight { return "instance \(id.number) is not in the one pool it belongs to" }
        }
        let boots = instances.values.count { instance in
            if case .booting = instance.state { true } else { false }
        }
        if boots != booting.values.reduce(0, +) { return "\(boots) instances boot, and \(booting) are counted" }
        let listed = ready.values.reduce(0) { $0 + $1.count } + assigned.values.reduce(0) { $0 + $1.count }
        let placed = instances.values.count { instance in
            switch instance.state {
            case .ready, .assigned: true
            case .booting, .ending: false
            }
        }
        return listed == placed ? nil : "the pools list \(listed) instances, and \(placed) belong in them"
    }
}
