internal import EngineCore

// Where a container is added for a call, if its account may be given one.
//
//     permission ─► room now: what all share ─► fixed ─► room by ending idle ones: what all share ─► fixed
//       ─► variable, the cheapest first ─► a wait that says what is lacking
//
// In each part of the node the account's own instance with room comes first, then a spare instance of the smallest size class that suits,
// then a new instance. The account's limits count what is planned, so calls at once never exceed them together (POOL-09).
extension PoolStateMachine {
    /// What an account may take from, by sub-pool.
    struct Reach {
        var sharesCommon: Bool
        var fixed: [Int] = []
        /// Those whose price its bid meets, the cheapest first; and whether there are, or may come to be, others.
        var variable: [Int] = []
        var dearer: [Int] = []
        var bids: Bool

        var isEmpty: Bool { !sharesCommon && fixed.isEmpty && !bids }
    }

    /// One way to start a container: what it takes beyond what is held.
    struct Way {
        let kind: StartPlan.Kind
        let pool: Int
        let instance: InstanceID?
        let bytes: Int
        let slots: Int
    }

    func reach(of permission: CapacityPermission) -> Reach {
        let bids = permission.bid != nil && permission.kinds.contains(.variable)
        var reach = Reach(sharesCommon: permission.kinds.contains(.general) && !pools[Self.common].isDrained, bids: bids)
        guard bids || permission.named != nil else { return reach }
        let mayFixed = permission.kinds.contains(.fixed)
        for index in ownedPools where !pools[index].isRemoved && !pools[index].isDrained {
            let pool = pools[index]
            switch pool.id {
            case .fixed(let name)?: if mayFixed, permission.named?.contains(name) == true { reach.fixed.append(index) }
            case .variable(let name)?:
                guard bids, let bid = permission.bid, permission.named?.contains(name) ?? true else { continue }
                if pool.price <= bid { reach.variable.append(index) } else { reach.dearer.append(index) }
            default: break
            }
        }
        reach.variable.sort { pools[$0].price < pools[$1].price }
        return reach
    }

    /// Why an account can be given nothing more, however long its call waits; `nil`: it can.
    func refusal(of request: CapacityRequest, _ kind: Int) -> CapacityRefusal? {
        let permission = request.permission
        guard permission.mayGrow, permission.instancesMax.map({ $0 > 0 }) ?? true,
            permission.memoryMax.map({ $0 >= request.kind.memory }) ?? true
        else { return .noPermission }
        let reach = reach(of: permission)
        if reach.isEmpty { return .noPermission }
        var largest = reach.sharesCommon ? areas[Self.common].limit : 0
        for pool in reach.fixed { largest = max(largest, areas[pools[pool].area].limit) }
        return request.kind.memory.bytes <= largest || reach.bids ? nil : .noCapacity
    }

    /// Whether the account may hold so much more.
    func isWithinMemory(_ permission: CapacityPermission, _ account: Int, _ bytes: Int) -> Bool {
        permission.memoryMax.map { accounts[account].memory + bytes <= $0.bytes } ?? true
    }

    mutating func place(
        _ request: CapacityRequest, _ kind: Int, _ wish: Wish?, waitsFor: CapacityWait?, isAhead: Bool = false, now: EngineInstant,
        actions: inout [PoolAction]
    ) -> Outcome {
        if let why = refusal(of: request, kind) { return .refused(why) }
        let (permission, bytes, account) = (request.permission, request.kind.memory.bytes, classes[kind].account)
        guard isWithinMemory(permission, account, bytes) else {
            // A start that nobody waits for is not worth a container that is warm already.
            if !isAhead { _ = makeRoom(ofAccount: account, for: kind, now: now, actions: &actions) }
            return .lacks(.permissionLimit)
        }
        let reach = reach(of: permission)
        let mayAddInstance = permission.instancesMax.map { accounts[account].instances < $0 } ?? true
        guard tally.starting < configuration.startsMax else { return .lacks(.shortage) }
        let parts = (reach.sharesCommon ? [Self.common] : []) + reach.fixed
        var best: [(way: Way, area: Int)] = []
        for part in parts + reach.variable {
            let ways = ways(kind, in: part, mayAddInstance: mayAddInstance, home: request.home)
            let area = pools[part].area
            // What is bought is used when what is free of charge does not come free.
            if reach.variable.contains(part), makeRoom(anyOf: best, for: kind, isAhead: isAhead, now: now, actions: &actions) {
                return .lacks(.shortage)
            }
            var least: Way?
            for way in ways {
                if fits(way.bytes, slots: way.slots, in: area) {
                    return .got(.start(begin(way, request, kind, wish, waitsFor: waitsFor, isAhead: isAhead, now: now)))
                }
                if least.map({ way.bytes < $0.bytes }) ?? true { least = way }
            }
            if let least { best.append((least, area)) }
        }
        if makeRoom(anyOf: best, for: kind, isAhead: isAhead, now: now, actions: &actions) { return .lacks(.shortage) }
        if best.isEmpty, !mayAddInstance {
            if !isAhead { _ = makeRoom(ofAccount: account, for: kind, now: now, actions: &actions) }
            return .lacks(.permissionLimit)
        }
        let isHeldUpByPrice = parts.isEmpty || reach.dearer.contains { areas[pools[$0].area].limit >= bytes }
        return .lacks(isHeldUpByPrice ? .variablePrice : .shortage)
    }

    private mutating func makeRoom(
        anyOf ways: [(way: Way, area: Int)], for kind: Int, isAhead: Bool, now: EngineInstant, actions: inout [PoolAction]
    ) -> Bool {
        for (way, area) in ways {
            // Who gives way to a start that nobody waits for, the retention policy has said, and they are ending already.
            let isComing = areas[area].held - areas[area].ending + way.bytes <= areas[area].limit && missingSlots(way.slots) <= 0
            if isComing || !isAhead && makeRoom(way.bytes, slots: way.slots, in: area, for: kind, now: now, actions: &actions) {
                return true
            }
        }
        return false
    }

    /// Has idle containers of what all share give way to those at the head of the oldest line, to as many as may start at once: their
    /// places come free while others start, and not only then begin to. O(lines), plus the containers evicted.
    mutating func makeRoomAhead(now: EngineInstant, actions: inout [PoolAction]) {
        guard let head = waiters.first(), reach(of: head.request.permission).sharesCommon,
            let way = ways(head.kind, in: Self.common, mayAddInstance: true, home: nil).first
        else { return }
        let others = min(waiters.count(inLineOf: head), configuration.startsMax) - 1
        _ = makeRoom(
            way.bytes + others * head.request.kind.memory.bytes, slots: way.slots + others, in: Self.common, for: head.kind, now: now,
            actions: &actions)
    }

    /// The ways to start a container of this class in one part of the node, the best first.
    private func ways(_ kind: Int, in part: Int, mayAddInstance: Bool, home: ObjectIdentifier?) -> [Way] {
        let entry = classes[kind]
        let bytes = entry.kind.memory.bytes
        var ways: [Way] = []
        if let own = roomy[RoomKey(account: entry.account, runtime: entry.runtime, group: part)]?.last {
            ways.append(Way(kind: .container, pool: instances[own]?.pool ?? part, instance: own, bytes: bytes, slots: 1))
        }
        guard mayAddInstance else { return ways }
        if part == Self.common, entry.kind.usesSpares, let (pool, spare) = spare(entry, home: home) {
            // A spare container's place is taken over, so only the difference is needed.
            let more = bytes - configuration.spareMemory.bytes
            ways.append(Way(kind: .instance, pool: pool, instance: spare, bytes: more, slots: 0))
        } else {
            ways.append(Way(kind: .newInstance, pool: part, instance: nil, bytes: bytes, slots: 1))
        }
        return ways
    }

    /// Of the smallest size class that suits and has one ready: of its newest, one whose spare container is at `home`, or else the newest.
    private func spare(_ entry: ClassEntry, home: ObjectIdentifier?) -> (pool: Int, instance: InstanceID)? {
        let size = entry.kind.memory.mebibytesRoundedUp
        for pool in generalPools[entry.runtime] where !pools[pool].ready.isEmpty {
            guard case .general(_, let sizeClass)? = pools[pool].id, sizeClass >= size else { continue }
            let ready = pools[pool].ready
            let atHome = home.flatMap { home in
                ready.suffix(Self.homeLookMax).last { instances[$0]?.containers.first.map { containers[$0].home } == home }
            }
            return (atHome ?? ready.last).map { (pool, $0) }
        }
        return nil
    }

    // MARK: Starting

    mutating func begin(
        _ way: Way, _ request: CapacityRequest, _ kind: Int, _ wish: Wish?, waitsFor: CapacityWait?, isAhead: Bool,
        isDedicated: Bool = false, now: EngineInstant
    ) -> StartPlan {
        let cause = isAhead ? nil : noteCold(kind, way, waitsFor: waitsFor, isOverflow: wish?.isOverflow == true, now: now)
        lastStart = now
        if !isAhead, way.kind != .container { noteDemand(classes[kind]) }
        let slot: Int
        switch way.kind {
        case .instance: slot = assignSpare(way, kind, isAhead: isAhead, now: now)
        case .container, .newInstance:
            let account = classes[kind].account
            let instance =
                way.instance
                ?? addInstance(
                    runtime: classes[kind].runtime, pool: way.pool, account: account, state: .assigned, bornAt: now, now: now)
            slot = addStarting(kind, in: instance, pool: way.pool, isAhead: isAhead, now: now)
        }
        containers[slot].bid = request.accountBid ?? request.permission.bid
        containers[slot].startedAt = now
        containers[slot].level = way.kind
        containers[slot].initialise = 0
        containers[slot].isDedicated = isDedicated
        if isDedicated { pools[way.pool].live += 1 }
        if isAhead {
            containers[slot].list = .ahead
            classLinks.append(slot, to: &classes[kind].lists[ClassList.ahead.rawValue])
        } else {
            pools[way.pool].hits[branch(way).ordinal] += 1
        }
        noteYielding(slot, now: now)
        let affinity = wish.map { fulfil($0, with: slot, now: now) }
        return StartPlan(
            kind: way.kind, instance: containers[slot].instance, container: containers[slot].id, subPool: pools[way.pool].id, cause: cause,
            affinity: affinity)
    }

    /// The call wanted a spare instance: of the smallest size class that suits, whether one was ready or not.
    private mutating func noteDemand(_ entry: ClassEntry) {
        let size = entry.kind.memory.mebibytesRoundedUp
        guard entry.kind.usesSpares, demand.count < Self.demandMax else { return }
        for pool in generalPools[entry.runtime] where !pools[pool].isRemoved {
            guard case .general(_, let sizeClass)? = pools[pool].id, sizeClass >= size else { continue }
            return demand.append(pool)
        }
    }

    private func branch(_ way: Way) -> CapacityBranch {
        switch way.kind {
        case .container: .ownInstance
        case .instance: .warmingPool
        case .newInstance: .newInstance
        }
    }

    private mutating func addStarting(_ kind: Int, in id: InstanceID, pool: Int, isAhead: Bool, now: EngineInstant) -> Int {
        let (account, bytes) = (classes[kind].account, classes[kind].kind.memory.bytes)
        let row = ledgerRow(account: account, pool: pool)
        var container = Container(
            id: ContainerID(number: nextNumber()), instance: id, kind: kind, account: account, pool: pool, area: pools[pool].area, row: row,
            memory: bytes)
        container.isAhead = isAhead
        let slot = add(container)
        charge(pool: pool, account: account, row: row, bytes: bytes, containers: 1, now: now)
        instances[id]?.containers.append(slot)
        setState(slot, .starting, now: now)
        noteRoom(id)
        return slot
    }

    /// A spare instance becomes the account's, and its container the call's.
    private mutating func assignSpare(_ way: Way, _ kind: Int, isAhead: Bool, now: EngineInstant) -> Int {
        guard let id = way.instance, let instance = instances[id], let slot = instance.containers.first else {
            preconditionFailure("a spare instance is ready without a spare container")
        }
        let account = classes[kind].account
        let row = ledgerRow(account: account, pool: way.pool)
        leaveReady(id, way.pool)
        pools[way.pool].active += 1
        accounts[account].instances += 1
        instances[id]?.state = .assigned
        instances[id]?.account = account
        instances[id]?.row = row
        ledger.change(instance.row, CapacityLedger.Change(instances: -1), now: now)
        ledger.change(row, CapacityLedger.Change(instances: 1), now: now)
        let before = containers[slot]
        charge(pool: way.pool, account: -1, row: before.row, bytes: -before.memory, containers: -1, now: now)
        containers[slot].kind = kind
        containers[slot].account = account
        containers[slot].row = row
        containers[slot].memory = classes[kind].kind.memory.bytes
        containers[slot].isAhead = isAhead
        charge(pool: way.pool, account: account, row: row, bytes: containers[slot].memory, containers: 1, now: now)
        noteKind(of: slot, by: 1)
        setState(slot, .starting, now: now)
        noteRoom(id)
        if pools[way.pool].lackingSince == nil { pools[way.pool].lackingSince = now }
        return slot
    }

    // MARK: Why it was cold

    private mutating func noteCold(
        _ kind: Int, _ way: Way, waitsFor: CapacityWait?, isOverflow: Bool, now: EngineInstant
    ) -> ColdCause {
        let function = classes[kind].function
        let entry = functions[function]
        let ofClass = classes[kind].containers > 0 && entry.live > 0
        let cause: ColdCause =
            isOverflow ? .affinity : ofClass ? .busy : entry.live > 0 ? .changed : entry.gone?.cause ?? .first
        var cold = ColdStart(
            atNanoseconds: now.nanoseconds, version: entry.scope.version, cause: cause, branch: branch(way), subPool: pools[way.pool].id,
            waitedFor: waitsFor, busyCount: entry.live, remedy: ColdRemedy(kind: .nothing))
        if let gone = entry.gone, cause == gone.cause {
            cold.idleSeconds = gone.idleFor?.inSeconds
            cold.goneSeconds = (now - gone.at).inSeconds
            cold.evictedFor = gone.evictedFor
        }
        switch cause {
        case .first, .killed, .changed: break
        case .busy: cold.remedy = ColdRemedy(kind: .reserve, count: entry.live + 1)
        case .expired: cold.remedy = ColdRemedy(kind: .keepLonger, seconds: (cold.idleSeconds ?? 0) + (cold.goneSeconds ?? 0))
        case .evicted:
            cold.remedy = ColdRemedy(kind: .moreMemory, mebibytes: ByteCount(entry.gone?.memory ?? 0).mebibytesRoundedUp)
        case .ended: cold.remedy = ColdRemedy(kind: .repair)
        case .affinity: cold.remedy = ColdRemedy(kind: .affinityRule)
        }
        if functions[function].colds.count >= ColdStart.keptMax { functions[function].colds.removeFirst() }
        functions[function].colds.append(cold)
        return cause
    }
}
