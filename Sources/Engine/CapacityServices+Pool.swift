internal import CapacityPools
internal import EngineCore
internal import Foundation
internal import Frontend
internal import FunctionCatalog

extension CapacityServices {
    /// The operator's view of a pool.
    init(_ catalog: Catalog, _ pool: ContainerPool, memory: ByteCount) {
        self.init(
            catalog: catalog, pools: { PoolsReport(pool.snapshot(), pool.counts, memory: memory) },
            configure: { (id, change) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in
                    let ends = change.memory == .zero
                    let settings = SubPoolSettings(floor: change.floor, ceiling: change.ceiling, memory: change.memory)
                    try pool.configure(id, ends ? nil : settings)
                }
            },
            drain: { (id, isDrained) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in if isDrained { try pool.drain(id) } else { try pool.resume(id) } }
            },
            lend: { (name, memory, time) throws(CapacityFailure) in
                try Self.change { () throws(PoolError) in
                    try pool.lend(from: name, memory: memory, until: time.map { EngineInstant.now() + $0 })
                }
            },
            reserve: { (version, count) throws(CapacityFailure) in pool.dedicate(version, count: count) },
            instances: { InstanceReport.all(pool.snapshot()) },
            kill: { (target) throws(CapacityFailure) in
                switch target {
                case .instance(let number): pool.kill(instance: number)
                case .container(let number): pool.kill(container: number)
                }
            },
            sticky: {
                let now = EngineInstant.now()
                let states = Dictionary(uniqueKeysWithValues: pool.snapshot().containers.map { ($0.number, $0.state) })
                return pool.affinityRows().map { StickyEntry($0, state: states[$0.container.number] ?? "ending", now: now) }
            },
            removeSticky: { function, version, value in
                pool.removeAffinity(AffinityKey(AffinityScope(function: function, version: version), value)) != nil
            },
            coldStarts: { key in
                let now = EngineInstant.now()
                let epoch = Date().timeIntervalSince1970
                return pool.coldStarts(of: key).map { start in
                    let age = (now - EngineInstant(nanoseconds: start.atNanoseconds)).inSeconds
                    return ColdStartReport(
                        whenEpochSeconds: epoch - age, function: key, version: start.version, branch: start.branch, cause: start.cause,
                        details: .init(
                            endedAgoSeconds: start.goneSeconds, idleSeconds: start.idleSeconds, evictedFor: start.evictedFor,
                            busy: start.busyCount))
                }
            })
    }

    private static func change(_ body: () throws(PoolError) -> Void) throws(CapacityFailure) {
        do throws(PoolError) {
            try body()
        } catch {
            let code: CapacityFailure.Code =
                switch error.code {
                case .unknownSubPool: .unknownSubPool
                case .wrongKind, .badNumber: .invalidSetting
                case .notEnoughMemory: .notEnoughMemory
                }
            throw CapacityFailure(code, error.message)
        }
    }
}

extension StickyEntry {
    fileprivate init(_ row: AffinityRow, state: String, now: EngineInstant) {
        self.init(
            function: row.key.scope.function, version: row.key.scope.version, value: row.key.value, container: row.container.number,
            state: state, ageSeconds: (now - row.created).inSeconds, idleSeconds: (now - row.lastUsed).inSeconds, uses: row.uses)
    }
}

extension PoolsReport {
    init(_ snapshot: PoolSnapshot, _ counts: PoolCounts, memory: ByteCount) {
        self.init(
            memoryBytes: memory.bytes, memoryHeldBytes: counts.memoryHeld.bytes, instances: counts.instances,
            instancesBooting: counts.instancesBooting, instancesReady: counts.instancesReady, containers: counts.containers,
            containersStarting: counts.starting, containersIdle: counts.idle, containersBusy: counts.busy, waiting: counts.waiting,
            subPools: snapshot.subPools.map { Frontend.SubPoolReport($0) },
            areas: snapshot.areas.map {
                AreaReport(name: $0.name, limitBytes: $0.limitMebibytes << 20, heldBytes: $0.heldMebibytes << 20)
            },
            ledger: snapshot.ledger.map {
                LedgerRow(account: $0.account, subPool: SubPoolID($0.subPool), use: LedgerUse($0))
            }, totals: LedgerUse(snapshot.ledgerTotal))
        waitingByReason = snapshot.waiting
    }
}

extension LedgerUse {
    fileprivate init(_ row: PoolSnapshot.LedgerReport) {
        self.init(
            instanceSeconds: row.instanceSeconds, executingSeconds: row.executingSeconds, memoryMebibyteSeconds: row.mebibyteSeconds)
    }
}

extension InstanceReport {
    fileprivate static func all(_ snapshot: PoolSnapshot) -> [InstanceReport] {
        let containers = Dictionary(grouping: snapshot.containers, by: \.instance)
        return snapshot.instances.map { instance in
            let held = containers[instance.number, default: []]
            return InstanceReport(
                instance: instance.number, account: instance.account, subPool: SubPoolID(instance.subPool), runtime: instance.runtime,
                state: instance.isLeaving ? "leaving" : instance.state, memoryBytes: held.reduce(0) { $0 + $1.memoryMebibytes } << 20,
                ageSeconds: instance.ageSeconds, containers: held.map { Frontend.ContainerReport($0) })
        }
    }
}

extension Frontend.SubPoolReport {
    fileprivate init(_ pool: PoolSnapshot.SubPoolReport) {
        self.init(
            name: SubPoolID(pool.name), ready: pool.ready, booting: pool.booting, active: pool.activeInstances,
            memoryHeldBytes: pool.memoryHeldMebibytes << 20, memoryLimitBytes: pool.memoryLimitMebibytes.map { $0 << 20 },
            price: pool.price,
            bootFailures: pool.bootFailures, isDrained: pool.isDrained, lentBytes: pool.lentMebibytes << 20)
        lentUntilEpochSeconds = pool.lentSeconds.map { Date().timeIntervalSince1970 + $0 }
        (hits, waits, refusals, waiting) = (pool.hits, pool.waits, pool.refusals, pool.waiting)
        if kind == .general || kind == .dedicated { (floor, target, ceiling) = (pool.floor, pool.target, pool.ceiling) }
    }
}

extension Frontend.ContainerReport {
    fileprivate init(_ container: PoolSnapshot.ContainerReport) {
        self.init(
            container: container.number, instance: container.instance, function: container.function, version: container.version,
            revision: container.revision,
            state: container.state, memoryBytes: container.memoryMebibytes << 20,
            storedBytes: Int(container.stateMebibytes * 1_048_576), ageSeconds: container.ageSeconds, idleSeconds: container.idleSeconds,
            isDedicated: container.isDedicated, isPinned: container.isPinned, stickyRows: container.affinityRows)
    }
}
