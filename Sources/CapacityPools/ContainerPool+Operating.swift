public import EngineCore
internal import Logging
internal import Sandboxing
internal import Synchronization

// What operators and owners ask of the pools while they run.
extension ContainerPool {
    public func report() -> PoolsReport {
        let moment = WallMoment.now()
        return state.withLock { $0.machine.report(at: moment) }
    }

    /// Instances, and slots of routing values, that are looked at while calls wait: some tens of microseconds.
    private static let pageLength = 4
    private static let affinityPageLength = 256

    /// Every instance with its containers, in the order of their making. Calls go on between the pages, so that what is said of two
    /// instances may be of two moments.
    public func inventory() -> [InstanceReport] {
        let ids = state.withLock { $0.machine.instanceIDs }.sorted { $0.number < $1.number }
        return stride(from: 0, to: ids.count, by: Self.pageLength).flatMap { first in
            let page = ids[first..<min(first + Self.pageLength, ids.count)]
            return state.withLock { $0.machine.inventory(of: page, now: .now()) }
        }
    }

    /// Why the last starts of a function that calls had to wait for were needed, newest last.
    public func coldStarts(of function: FunctionKey) -> [ColdStart] { state.withLock { $0.machine.whyCold(function) } }

    /// - Throws: `unknownSubPool`, `wrongKind`, `badNumber`, `notEnoughMemory`.
    public func configure(_ id: SubPoolID, _ settings: SubPoolSettings?) throws(PoolError) {
        if case .general(let runtime, _) = id, !host.manifests.contains(where: { $0.name == runtime }) {
            let names = host.manifests.map(\.name).sorted().joined(separator: ", ")
            throw PoolError(.wrongKind, "This node has no runtime '\(runtime)'. It has: \(names).")
        }
        try change { state, now throws(PoolError) in
            let actions = try state.machine.configure(id, settings, now: now)
            if case .general = id {
                let bounds = state.machine.bounds(of: id)
                if let bounds { state.sizer.configure(id, floor: bounds.floor, ceiling: bounds.ceiling) } else { state.sizer.remove(id) }
            }
            return actions
        }
    }

    /// - Parameter until: when the memory comes back by itself; `nil`: when it is recalled by lending nothing.
    public func lend(from name: String, memory: ByteCount, until: EngineInstant?) throws(PoolError) {
        try change { state, now throws(PoolError) in try state.machine.lend(from: name, memory: memory, until: until, now: now) }
    }

    public func drain(_ id: SubPoolID) throws(PoolError) {
        try change { state, now throws(PoolError) in try state.machine.drain(id, now: now) }
    }

    public func resume(_ id: SubPoolID) throws(PoolError) {
        try change { state, now throws(PoolError) in try state.machine.resume(id, now: now) }
    }

    /// Keeps so many containers of a version started and initialised; 0 ends that.
    public func dedicate(_ version: PinnedVersion, count: Int) {
        guard let kind = kind(of: version) else {
            state.withLock {
                $0.noteDedicatedFailure(AffinityScope(version), "This node has no runtime for '\(version.runtime)'.")
            }
            return
        }
        let permission = surroundings.permission(kind.account)
        perform(
            state.withLock { state in
                state.remember(version)
                state.dedicatedFailures[AffinityScope(version)] = nil
                return state.machine.dedicate(kind, count: count, permission: permission, now: .now())
            })
    }

    /// Ends what is dedicated to a version that is no more.
    public func release(_ key: FunctionKey, _ version: FunctionVersion) {
        perform(state.withLock { $0.machine.endDedication(key, version, now: .now()) })
    }

    /// What accounts may take has changed: what is dedicated to them follows.
    public func permissionsChanged(_ permissions: [AccountID: CapacityPermission]) {
        for (account, permission) in permissions {
            perform(state.withLock { $0.machine.permissionChanged(of: account, to: permission, now: .now()) })
        }
    }

    /// The containers dedicated to a version; `nil` when none are to be.
    public func dedicated(_ key: FunctionKey, _ version: FunctionVersion) -> PoolStateMachine.Dedicated? {
        state.withLock { $0.machine.dedicated(key, version) }
    }

    /// Why a dedicated container could not be started the last time; `nil` if it could.
    public func dedicatedFailure(_ key: FunctionKey, _ version: FunctionVersion) -> String? {
        state.withLock { $0.dedicatedFailures[AffinityScope(function: key, version: version)] }
    }

    public func kill(instance: UInt64) { perform(state.withLock { $0.machine.kill(InstanceID(number: instance), now: .now()) }) }

    public func kill(container: UInt64) { perform(state.withLock { $0.machine.kill(ContainerID(number: container), now: .now()) }) }

    /// A pinned container is neither ended for room nor by its keep-alive.
    /// - Returns: whether it is there.
    public func pin(container: UInt64, _ isPinned: Bool) -> Bool {
        state.withLock { $0.machine.pin(ContainerID(number: container), isPinned, now: .now()) }
    }

    /// Every row of routing values, and what its container is doing; in any order, and as ``inventory()`` not of one moment.
    public func affinityRows() -> [(row: AffinityRow, state: String?)] {
        // A row that moves between two pages may be seen twice: the later look counts.
        var found: [AffinityKey: (row: AffinityRow, state: String?)] = [:]
        for first in stride(from: 0, to: state.withLock { $0.machine.affinitySlotCount }, by: Self.affinityPageLength) {
            for entry in state.withLock({ $0.machine.affinityRows(inSlots: first..<first + Self.affinityPageLength) }) {
                found[entry.row.key] = entry
            }
        }
        return Array(found.values)
    }

    /// - Returns: the row that was removed; its value's next call gets a new container.
    public func removeAffinity(_ key: AffinityKey) -> AffinityRow? { state.withLock { $0.machine.removeAffinity(key) } }

    /// How the pools learned demand by the time of day, to be kept over a restart.
    public var sizingHistory: SizingHistory { state.withLock { $0.sizer.history } }

    private func change(_ body: (inout sending State, EngineInstant) throws(PoolError) -> [PoolAction]) throws(PoolError) {
        let result = state.withLock { state -> Result<[PoolAction], PoolError> in
            do throws(PoolError) { return .success(try body(&state, .now())) } catch { return .failure(error) }
        }
        perform(try result.get())
    }
}
