public import EngineCore

// What operators list of all that is held. A page at a time, so that who holds the pool's lock for it holds it shortly; pages are put
// together and in order outside (``ContainerPool/inventory()``), while calls go on.
extension PoolStateMachine {
    /// The instances that there are, in any order. O(instances), a copy of numbers.
    public var instanceIDs: [InstanceID] { Array(instances.keys) }

    /// Those of the instances that there still are, with their containers (STICK-01). O(containers of these).
    public func inventory(of ids: some Sequence<InstanceID>, now: EngineInstant) -> [InstanceReport] {
        ids.compactMap { id in
            guard let instance = instances[id] else { return nil }
            let held = instance.containers.sorted { containers[$0].id.number < containers[$1].id.number }
            return InstanceReport(
                instance: id.number, account: instance.account < 0 ? nil : accounts[instance.account].id,
                subPool: pools[instance.pool].id, runtime: runtimes[instance.runtime],
                state: instance.isLeaving ? "leaving" : instance.state.rawValue, memoryBytes: held.reduce(0) { $0 + containers[$1].memory },
                ageSeconds: (now - instance.bornAt).inSeconds, containers: held.map { report(containers[$0], now) })
        }
    }

    private func report(_ container: Container, _ now: EngineInstant) -> ContainerReport {
        let kind = container.kind < 0 ? nil : classes[container.kind].kind
        let isIdle = container.state == .idle
        return ContainerReport(
            container: container.id.number, instance: container.instance.number, function: kind?.function.arn, version: kind?.version,
            revision: kind?.revision, state: container.state.rawValue, memoryBytes: container.memory,
            storedBytes: Int(container.gathered * 1_048_576), ageSeconds: (now - container.startedAt).inSeconds,
            idleSeconds: isIdle ? (now - container.idleSince).inSeconds : nil,
            expiresSeconds: isIdle && container.isYielding ? container.expiresAt.map { ($0 - now).inSeconds } : nil,
            isDedicated: container.isDedicated, isPinned: container.isPinned,
            stickyRows: container.isMapped ? affinity.rows(of: container.id).count : 0)
    }

    /// Rows of routing values lie in so many slots.
    public var affinitySlotCount: Int { affinity.entries.count }

    /// The rows in some of the slots, each with what its container is doing; `nil`: it is no more. O(slots).
    public func affinityRows(inSlots slots: Range<Int>) -> [(row: AffinityRow, state: String?)] {
        affinity.rows(inSlots: slots).map { row in (row, self.slots[row.container].map { containers[$0].state.rawValue }) }
    }
}
