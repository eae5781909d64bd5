public import EngineCore

// What is held, for operators and for the placement of calls.
extension PoolStateMachine {
    /// Whether the container is known, in whatever state.
    public func contains(_ id: ContainerID) -> Bool { slots[id] != nil }

    /// What a call of this class would find now. What is idle, spare or ending counts as free: it gives way. O(fixed and variable
    /// sub-pools).
    public func availability(_ kind: ContainerClass, permission: CapacityPermission = .standard) -> PoolAvailability {
        let reach = reach(of: permission)
        var free = 0
        if reach.sharesCommon {
            free = yielding(Self.common) + tally.ready * configuration.spareMemory.bytes
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
            freeSlots: configuration.containersMax - tally.busy - tally.starting - (reach.fixed.isEmpty ? slotsPromised() : 0),
            isPermitted: isPermitted)
    }

    private func yielding(_ area: Int) -> Int { free(in: area) + areas[area].yieldingMemory + areas[area].ending }

    public var counts: PoolCounts {
        var all = PoolCounts()
        all.memoryHeld = ByteCount(areas.reduce(0) { $0 + $1.held })
        all.instances = instances.count
        all.instancesBooting = tally.booting
        all.instancesReady = tally.ready
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

    // MARK: For operators

    /// Functions with an entry of their own. O(1).
    public var rememberedCount: Int { functionIndices.count }

    /// What is held, by sub-pool, and what came of it. O(sub-pools + ledger rows), and O(containers) where some are dedicated.
    public func report(at moment: WallMoment) -> PoolsReport {
        var waiting: [CapacityWait: Int] = [:]
        var waitingFor: [Int: Int] = [:]
        for waiter in waiters.inAnyOrder {
            waiting[waiter.reason, default: 0] += 1
            waitingFor[awaited(waiter.reason, waiter), default: 0] += 1
        }
        let (counts, dedicated) = (counts, dedicatedCounts)
        return PoolsReport(
            memoryBytes: configuration.memory.bytes, memoryHeldBytes: counts.memoryHeld.bytes, instances: counts.instances,
            instancesBooting: counts.instancesBooting, instancesReady: counts.instancesReady, containers: counts.containers,
            containersStarting: counts.starting, containersIdle: counts.idle, containersBusy: counts.busy, waiting: counts.waiting,
            waitingByReason: waiting,
            subPools: pools.indices.filter { $0 == Self.common || pools[$0].id != nil }
                .map { report($0, dedicated[$0], waiting: waitingFor[$0] ?? 0, moment) },
            areas: pools.indices.filter { $0 == Self.common || pools[$0].area != Self.common }.map { pool in
                let area = areas[pools[pool].area]
                return AreaReport(
                    name: pools[pool].id?.description ?? SubPoolReport.commonTitle, limitBytes: area.limit, heldBytes: area.held)
            },
            ledger: ledger.all(now: moment.instant).map { key, sums in
                LedgerRow(account: key?.account, subPool: key?.subPool, use: LedgerUse(sums))
            }, totals: LedgerUse(ledger.total(now: moment.instant)), pricePerMebibyteSecond: retention.pricePerMebibyteSecond)
    }

    /// Containers of dedicated sub-pools. O(containers) where there is one.
    private var dedicatedCounts: [Int: (idle: Int, starting: Int, busy: Int)] {
        var counts: [Int: (idle: Int, starting: Int, busy: Int)] = [:]
        guard pools.contains(where: { $0.kind >= 0 }) else { return counts }
        for container in containers where pools[container.pool].kind >= 0 {
            switch container.state {
            case .idle where container.isDedicated: counts[container.pool, default: (0, 0, 0)].idle += 1
            case .starting where container.isAhead: counts[container.pool, default: (0, 0, 0)].starting += 1
            case .busy: counts[container.pool, default: (0, 0, 0)].busy += 1
            default: break
            }
        }
        return counts
    }

    private func report(
        _ index: Int, _ dedicated: (idle: Int, starting: Int, busy: Int)?, waiting: Int, _ moment: WallMoment
    ) -> SubPoolReport {
        let pool = pools[index]
        let isDedicated = pool.kind >= 0
        let isKeptReady = isDedicated || pool.id?.kind == .general
        let until = pool.lentUntil.map { Double(moment.epochMilliseconds) / 1000 + ($0 - moment.instant).inSeconds }
        return SubPoolReport(
            name: pool.id, floor: isKeptReady ? pool.floor : nil, target: isKeptReady ? pool.target : nil,
            ceiling: isKeptReady ? pool.ceiling : nil, ready: isDedicated ? dedicated?.idle ?? 0 : pool.ready.count,
            booting: isDedicated ? dedicated?.starting ?? 0 : pool.booting, active: isDedicated ? dedicated?.busy ?? 0 : pool.active,
            memoryHeldBytes: pool.memory,
            memoryLimitBytes: index == Self.common || pool.area != Self.common ? areas[pool.area].limit : nil,
            price: pool.id?.kind == .variable ? pool.price : nil, hits: Self.named(pool.hits), waits: Self.named(pool.waits),
            waiting: waiting, refusals: Self.named(pool.refusals), bootFailures: pool.bootFailures, isDrained: pool.isDrained,
            lentBytes: pool.lent, lentUntilEpochSeconds: until)
    }

    private static func named<Case: CaseIterable & Hashable>(_ counts: [Int]) -> [Case: Int] {
        Dictionary(uniqueKeysWithValues: zip(Case.allCases, counts))
    }
}

extension LedgerUse {
    fileprivate init(_ sums: CapacityLedger.Sums) {
        self.init(
            instanceSeconds: Double(sums.instanceNanoseconds) / 1e9, executingSeconds: Double(sums.executingNanoseconds) / 1e9,
            memoryMebibyteSeconds: Double(sums.byteNanoseconds) / 1e9 / 1_048_576)
    }
}
