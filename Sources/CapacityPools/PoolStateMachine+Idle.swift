internal import DequeModule
public import EngineCore

// Idle containers: kept newest first for reuse, ended oldest first for room or age.
extension PoolStateMachine {
    mutating func makeIdle(_ id: ContainerID, now: EngineInstant) {
        guard var container = containers[id], let kind = container.kind else { return }
        busyCount -= 1
        idleCount += 1
        idleMemory += container.memory
        let entry = IdleEntry(container: id, entry: nextNumber(), home: container.home)
        container.state = .idle(since: now, entry: entry.entry)
        containers[id] = container
        idle[kind, default: []].append(entry)
        idleOrder.append(entry)
        compactIdleOrder()
    }

    /// How many of the newest are looked at for one at the caller's home.
    static let homeLookMax = 4

    /// Of the containers of this class that have been idle for the shortest time, one at `home`, or else the newest.
    mutating func takeIdle(_ kind: ContainerClass, home: ObjectIdentifier?) -> ContainerID? {
        while let index = newestIdle(kind, home: home), let entry = idle[kind]?.remove(at: index) {
            if idle[kind]?.isEmpty == true { idle[kind] = nil }
            guard isCurrent(entry) else { continue }
            containers[entry.container]?.state = .busy
            idleCount -= 1
            idleMemory -= kind.memory
            busyCount += 1
            return entry.container
        }
        return nil
    }

    private func newestIdle(_ kind: ContainerClass, home: ObjectIdentifier?) -> Int? {
        guard let queue = idle[kind], !queue.isEmpty else { return nil }
        return home.flatMap { home in queue.indices.suffix(Self.homeLookMax).last { queue[$0].home == home } } ?? queue.count - 1
    }

    /// Ends idle containers whose time is over. O(1) when there is none.
    public mutating func expireIdle(now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        while let entry = idleOrder.first {
            if isCurrent(entry) {
                guard case .idle(let since, _)? = containers[entry.container]?.state,
                    now - since >= configuration.keepAlive
                else { break }
                end(entry.container, actions: &actions)
            }
            idleOrder.removeFirst()
        }
        return actions
    }

    /// Ends the containers of one revision, because the owner has replaced or deleted it: idle ones now, those that run once they
    /// have finished. O(classes). The newest ``retiredMax`` revisions are remembered.
    public mutating func retire(revision: String) -> [PoolAction] {
        if retired.insert(revision).inserted {
            retiredOrder.append(revision)
            if retiredOrder.count > Self.retiredMax { retired.remove(retiredOrder.removeFirst()) }
        }
        var actions: [PoolAction] = []
        for kind in idle.keys where kind.revision == revision {
            for entry in idle[kind] ?? [] where isCurrent(entry) { end(entry.container, actions: &actions) }
        }
        return actions
    }

    /// Ends idle, then spare containers until `memory` and `slots` are free or on their way to be.
    /// - Returns: whether they are free now.
    mutating func makeRoom(for memory: ByteCount, slots: Int, actions: inout [PoolAction]) -> Bool {
        func lacks(_ pool: borrowing PoolStateMachine, countingEnding: Bool) -> Bool {
            let coming = countingEnding ? pool.memoryEnding : .zero
            let leaving = countingEnding ? pool.endingCount : 0
            return pool.memoryHeld - coming + memory > pool.configuration.memory
                || pool.containers.count - leaving + slots > pool.configuration.containersMax
        }
        guard lacks(self, countingEnding: false) else { return true }
        while lacks(self, countingEnding: true), let entry = idleOrder.popFirst() {
            if isCurrent(entry) { end(entry.container, actions: &actions) }
        }
        while lacks(self, countingEnding: true), let runtime = ready.first(where: { !$0.value.isEmpty })?.key,
            let instance = ready[runtime]?.popLast()
        {
            endInstance(instance, actions: &actions)
        }
        return false
    }

    func isCurrent(_ entry: IdleEntry) -> Bool {
        guard case .idle(_, entry.entry)? = containers[entry.container]?.state else { return false }
        return true
    }

    /// Keeps the queue within twice the idle containers, so that its memory follows what it holds.
    private mutating func compactIdleOrder() {
        guard idleOrder.count > 2 * idleCount + 64 else { return }
        idleOrder = Deque(idleOrder.filter { isCurrent($0) })
    }
}
