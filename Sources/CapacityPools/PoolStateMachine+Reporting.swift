public import EngineCore

// What is held, for operators and for the placement of calls.
extension PoolStateMachine {
    /// Whether the container is known, in whatever state.
    public func contains(_ id: ContainerID) -> Bool { slots[id] != nil }

    /// What a call of this class would find now. What is idle, spare or ending counts as free: it gives way. O(sub-pools).
    public func availability(_ kind: ContainerClass, permission: CapacityPermission = .standard) -> PoolAvailability {
        let reach = reach(of: permission)
        var free = 0
        if reach.sharesCommon {
            let spare = pools.reduce(0) { $0 + $1.ready.count } * configuration.spareMemory.bytes
            free = yielding(Self.common) + spare
        }
        for pool in reach.fixed + reach.variable { free = max(free, yielding(pools[pool].area)) }
        var isPermitted = permission.mayGrow && !reach.isEmpty && permission.instancesMax ?? 1 > 0
        if let account = accountIndex[kind.account] {
            let most = permission.memoryMax?.bytes ?? .max
            isPermitted = isPermitted && accounts[account].memory - accounts[account].ending <= most - min(most, kind.memory.bytes)
        }
        if let most = permission.memoryMax, most < kind.memory { isPermitted = false }
        return PoolAvailability(
            hasWarm: hasWarm(kind), freeMemory: ByteCount(free),
            freeSlots: configuration.containersMax - tally.busy - tally.starting, isPermitted: isPermitted)
    }

    private func yielding(_ area: Int) -> Int { free(in: area) + areas[area].yieldingMemory + areas[area].ending }

    public var counts: PoolCounts {
        var all = PoolCounts()
        all.memoryHeld = ByteCount(areas.reduce(0) { $0 + $1.held })
        all.instances = instances.count
        all.instancesBooting = tally.booting
        all.instancesReady = pools.reduce(0) { $0 + $1.ready.count }
        all.containers = tally.containers
        all.starting = tally.starting
        all.idle = tally.idle
        all.busy = tally.busy
        all.waiting = waiters.count
        return all
    }

    /// The last starts that calls of the function had to wait for, of all its versions, the newest last.
    public func whyCold(_ key: FunctionKey) -> [ColdStart] {
        guard let name = nameIndex[key] else { return [] }
        return names[name].functions.flatMap { functions[$0].colds }.sorted { $0.atNanoseconds < $1.atNanoseconds }
    }

    /// Everything. O(everything held).
    public func snapshot(now: EngineInstant) -> PoolSnapshot {
        var waiting: [String: Int] = [:]
        var waitingFor: [Int: Int] = [:]
        for waiter in waiters.all {
            waiting[waiter.reason.rawValue, default: 0] += 1
            waitingFor[awaited(waiter.reason, waiter), default: 0] += 1
        }
        return PoolSnapshot(
            subPools: pools.indices.filter { $0 == Self.common || pools[$0].id != nil }
                .map { report($0, waiting: waitingFor[$0] ?? 0, now) },
            areas: pools.indices.filter { $0 == Self.common || pools[$0].area != Self.common }.map { areaReport($0) },
            instances: instances.sorted { $0.key.number < $1.key.number }.map { report($0.key, $0.value, now) },
            containers: containers.filter { $0.state != .vacant }.sorted { $0.id.number < $1.id.number }.map { report($0, now) },
            ledger: ledger.all(now: now).map { Self.report($0.key, $0.sums) },
            ledgerTotal: Self.report(CapacityLedger.Key(), ledger.total(now: now), name: "total"), waiting: waiting,
            pricePerMebibyteSecond: retention.pricePerMebibyteSecond, functionsRemembered: functionIndices.count,
            affinityRows: affinity.rowCount)
    }

    private func name(_ pool: Int) -> String { pools[pool].id?.description ?? "common" }

    private func report(_ index: Int, waiting: Int, _ now: EngineInstant) -> PoolSnapshot.SubPoolReport {
        let pool = pools[index]
        let idle = containers.count { $0.pool == index && $0.state == .idle && $0.isDedicated }
        var isVariable = false
        if case .variable? = pool.id { isVariable = true }
        let limit = areas[pool.area].limit
        return PoolSnapshot.SubPoolReport(
            name: name(index), kind: pool.id?.kind.rawValue ?? "common", floor: pool.floor, target: pool.target, ceiling: pool.ceiling,
            ready: pool.kind >= 0 ? idle : pool.ready.count, booting: pool.kind >= 0 ? startingAhead(in: index) : pool.booting,
            activeInstances: pool.active, containers: pool.containers, memoryHeldMebibytes: pool.memory >> 20,
            memoryLimitMebibytes: index == Self.common || pool.area != Self.common ? limit >> 20 : nil, lentMebibytes: pool.lent >> 20,
            lentSeconds: pool.lentUntil.map { ($0 - now).inSeconds },
            price: isVariable ? pool.price : nil, hits: Self.named(pool.hits, CapacityBranch.allCases.map(\.rawValue)),
            waits: Self.named(pool.waits, CapacityWait.allCases.map(\.rawValue)), waiting: waiting,
            refusals: Self.named(pool.refusals, CapacityRefusal.allCases.map(\.rawValue)), bootFailures: pool.bootFailures,
            isDrained: pool.isDrained)
    }

    private func startingAhead(in pool: Int) -> Int { containers.count { $0.pool == pool && $0.state == .starting && $0.isAhead } }

    private static func named(_ counts: [Int], _ names: [String]) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: zip(names, counts))
    }

    private func areaReport(_ pool: Int) -> PoolSnapshot.AreaReport {
        let area = areas[pools[pool].area]
        return PoolSnapshot.AreaReport(
            name: name(pool), limitMebibytes: area.limit >> 20, heldMebibytes: area.held >> 20, idleMebibytes: area.yieldingMemory >> 20,
            endingMebibytes: area.ending >> 20)
    }

    private func report(_ id: InstanceID, _ instance: Instance, _ now: EngineInstant) -> PoolSnapshot.InstanceReport {
        PoolSnapshot.InstanceReport(
            number: id.number, state: "\(instance.state)", runtime: runtimes[instance.runtime],
            account: instance.account < 0 ? nil : accounts[instance.account].id, subPool: name(instance.pool),
            containers: instance.containers.map { containers[$0].id.number }.sorted(), ageSeconds: (now - instance.bornAt).inSeconds,
            isLeaving: instance.isLeaving)
    }

    private func report(_ container: Container, _ now: EngineInstant) -> PoolSnapshot.ContainerReport {
        let kind = container.kind < 0 ? nil : classes[container.kind].kind
        let isIdle = container.state == .idle
        return PoolSnapshot.ContainerReport(
            number: container.id.number, instance: container.instance.number, state: "\(container.state)", account: kind?.account,
            function: kind?.function.arn, version: kind?.version, revision: kind?.revision, subPool: name(container.pool),
            memoryMebibytes: ByteCount(container.memory).mebibytesRoundedUp, stateMebibytes: container.gathered,
            idleSeconds: isIdle ? (now - container.idleSince).inSeconds : nil,
            expiresSeconds: isIdle && container.isYielding ? container.expiresAt.map { ($0 - now).inSeconds } : nil,
            ageSeconds: (now - container.startedAt).inSeconds, isDedicated: container.isDedicated, isPinned: container.isPinned,
            affinityRows: container.isMapped ? affinity.rows(of: container.id).count : 0)
    }

    private static func report(
        _ key: CapacityLedger.Key?, _ sums: CapacityLedger.Sums, name: String? = nil
    ) -> PoolSnapshot.LedgerReport {
        PoolSnapshot.LedgerReport(
            account: key?.account, subPool: name ?? (key == nil ? "(added up)" : key?.subPool?.description ?? "common"),
            instances: sums.instances, containers: sums.containers, instanceSeconds: Double(sums.instanceNanoseconds) / 1e9,
            containerSeconds: Double(sums.containerNanoseconds) / 1e9, executingSeconds: Double(sums.executingNanoseconds) / 1e9,
            mebibyteSeconds: Double(sums.byteNanoseconds) / 1e9 / 1_048_576)
    }
}
