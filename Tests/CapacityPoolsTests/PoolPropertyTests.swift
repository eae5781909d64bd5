import CapacityPools
import EngineCore
import Testing

/// Random operations of every kind; after each, the books are counted again.
@Suite struct PoolPropertyTests {
    private static func configuration() -> PoolConfiguration {
        var configuration = PoolConfiguration(
            memory: .mebibytes(2000), containersMax: 30, containersPerInstanceMax: 3, startsMax: 5, waitersMax: 20, keepAlive: .seconds(1),
            warmingTargets: ["python": 2], instanceLifetimeMax: .seconds(20), reclaimGrace: .milliseconds(300), functionsRemembered: 12,
            affinityWaitersMax: 3, ledgerRowsMax: 8)
        configuration.affinityLimits = AffinityTable.Limits(rowsMax: 12, rowsPerFunctionMax: 5, goneMax: 6)
        return configuration
    }

    private static func request(_ generator: inout SplitMix) throws -> CapacityRequest {
        let (account, function) = (Int.random(in: 0..<4, using: &generator), Int.random(in: 0..<6, using: &generator))
        let kind = try PoolModel.kind(
            account, function, mebibytes: 64 << (function % 4), usesSpares: function % 3 > 0,
            revision: Int.random(in: 0..<40, using: &generator) == 0 ? 1 : 0)
        var request = CapacityRequest(kind, mayWait: Int.random(in: 0..<4, using: &generator) > 0)
        if account == 1 {
            request.permission = CapacityPermission(
                mayGrow: Int.random(in: 0..<9, using: &generator) > 0, instancesMax: 2, memoryMax: .mebibytes(512),
                shortage: CapacityPermission.Shortage.allCases.randomElement(using: &generator) ?? .spill)
        }
        if account == 2 {
            request.permission = CapacityPermission(
                kinds: Bool.random(using: &generator) ? [.variable, .fixed] : [.general, .variable, .fixed], named: ["gold", "spot"],
                bid: Double(Int.random(in: 0..<8, using: &generator)))
            let deferral = Duration.milliseconds(Int.random(in: 0..<4000, using: &generator))
            if Int.random(in: 0..<4, using: &generator) == 0 { request.deferral = deferral }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            request.affinity = AffinityDemand(
                value: "v\(Int.random(in: 0..<4, using: &generator))", source: .header,
                mode: Bool.random(using: &generator) ? .prefer : .require,
                busy: AffinityDemand.Busy.allCases.randomElement(using: &generator) ?? .wait, waitMax: .milliseconds(200))
        }
        if Int.random(in: 0..<9, using: &generator) == 0 { request.concurrencyMax = Int.random(in: 0..<3, using: &generator) }
        return request
    }

    /// One operation. Everything that an operator, a caller, the launcher or time can do is among them.
    private static func step(_ model: inout PoolModel, _ generator: inout SplitMix) throws {
        func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }
        let kind = try request(&generator).kind
        switch pick(40) {
        case 0...11: model.lease(try request(&generator))
        case 12...19 where !model.leased.isEmpty:
            let id = model.leased[pick(model.leased.count)]
            guard !model.starting.contains(id) else { return }
            model.release(id, keep: pick(5) > 0, state: .mebibytes(pick(3)))
        case 20...22 where !model.starting.isEmpty:
            let id = model.starting.remove(at: pick(model.starting.count))
            if pick(5) > 0 {
                model.take(model.pool.containerStarted(id, now: model.now))
            } else {
                model.leased.removeAll { $0 == id }
                model.take(model.pool.containerEnded(id, now: model.now))
            }
        case 23...27 where !model.actions.isEmpty:
            let action = model.actions.remove(at: pick(model.actions.count))
            model.perform(action, succeed: pick(4) > 0)
        case 28, 29: model.tick()
        case 30:
            if let waiter = model.waiting.keys.randomElement(using: &generator) {
                if model.pool.cancel(waiter, timedOut: pick(2) == 0, now: model.now) != nil { model.waiting[waiter] = nil }
            }
        case 31: model.take(model.pool.offer(
            variable: "spot", price: Double(pick(8)), memory: .mebibytes(pick(4) * 256),
            forecast: [PricePeriod(from: model.now + .seconds(1), to: model.now + .seconds(2), price: 1)], now: model.now))
        case 32: model.take((try? model.pool.configure(
            .fixed("gold"), pick(4) == 0 ? nil : SubPoolSettings(memory: .mebibytes(pick(4) * 200)), now: model.now)) ?? [])
        case 33: model.take((try? model.pool.lend(
            from: "gold", memory: .mebibytes(pick(3) * 100), until: model.now + .seconds(1), now: model.now)) ?? [])
        case 34:
            let permission = CapacityPermission(mayGrow: pick(3) > 0, instancesMax: pick(4))
            if pick(3) > 0 {
                model.take(model.pool.dedicate(kind, count: pick(3), permission: permission, now: model.now))
            } else {
                model.take(model.pool.permissionChanged(of: kind.account, to: permission, now: model.now))
            }
        case 35:
            let names = model.report.subPools.compactMap(\.name)
            guard let id = names.randomElement(using: &generator) else { return }
            model.take((try? pick(2) == 0 ? model.pool.drain(id, now: model.now) : model.pool.resume(id, now: model.now)) ?? [])
            if pick(2) == 0 { model.take((try? model.pool.resume(id, now: model.now)) ?? []) }
        case 36:
            let reports = model.containers
            guard let container = reports.randomElement(using: &generator) else { return }
            _ = model.pool.pin(ContainerID(number: container.container), pick(3) == 0, now: model.now)
            if pick(3) == 0 { model.take(model.pool.kill(ContainerID(number: container.container), now: model.now)) }
        case 37: model.take(model.pool.retire(revision: kind.revision + (pick(9) == 0 ? "" : "-other"), now: model.now))
        case 38:
            let (plan, actions) = model.pool.startAhead(kind, now: model.now)
            model.take(actions)
            if let plan { model.actions.append(.preload(plan, kind)) }
        case 39:
            model.take(model.pool.setTarget(.general(runtime: "python", sizeClass: 10_240), pick(4), now: model.now))
            let sizes = SubPoolSettings(floor: pick(2), ceiling: 2)
            model.take((try? model.pool.configure(.general(runtime: "python", sizeClass: 128), sizes, now: model.now)) ?? [])
            if let row = model.pool.affinityRows().randomElement(using: &generator) { _ = model.pool.removeAffinity(row.key) }
        default: break
        }
    }

    @Test(arguments: 0..<10)
    func `POOL-01, WHOLE-03 after any operations every count returns to zero and the books are right`(seed: Int) throws {
        var generator = SplitMix(state: UInt64(seed) &+ 0x9E37_79B9)
        var model = PoolModel(Self.configuration())
        model.startsByHand = true
        for step in 0..<400 {
            model.now = model.now + .milliseconds(Int.random(in: 0...20, using: &generator))
            try Self.step(&model, &generator)
            let fault = model.pool.brokenInvariant()
            try #require(fault == nil, "seed \(seed), step \(step): \(fault ?? "")")
        }
        try expectNothingLeft(&model, seed: seed)
    }

    @Test(arguments: 0..<16)
    func `POOL-12 after any operations nobody who waits is forgotten once there is enough for all`(seed: Int) throws {
        var generator = SplitMix(state: UInt64(seed) &+ 0x51_7C_C1_B7)
        var model = PoolModel(Self.configuration())
        model.startsByHand = true
        for _ in 0..<400 {
            model.now = model.now + .milliseconds(Int.random(in: 0...20, using: &generator))
            try Self.step(&model, &generator)
        }
        for id in model.report.subPools.compactMap(\.name) {
            // What is dedicated is nobody else's, also within its account's limits.
            if case .dedicated = id { model.take((try? model.pool.configure(id, nil, now: model.now)) ?? []) }
            model.take((try? model.pool.resume(id, now: model.now)) ?? [])
        }
        model.take(model.pool.offer(variable: "spot", price: 0, memory: .mebibytes(4096), forecast: [], now: model.now))
        for container in model.containers where container.isPinned {
            _ = model.pool.pin(ContainerID(number: container.container), false, now: model.now)
        }
        for _ in 0..<200 where !model.waiting.isEmpty {
            for id in model.starting { model.take(model.pool.containerStarted(id, now: model.now)) }
            model.starting.removeAll()
            model.releaseAll()
            model.performAll()
            model.tick(.milliseconds(50))
        }
        #expect(model.waiting.isEmpty, "seed \(seed): \(model.waiting)")
        try expectNothingLeft(&model, seed: seed)
    }

    /// Everybody is answered and gives back what they had; then nothing is held, and nobody waits.
    private func expectNothingLeft(_ model: inout PoolModel, seed: Int) throws {
        model.take(model.pool.drain(now: model.now))
        for id in model.starting { model.take(model.pool.containerEnded(id, now: model.now)) }
        model.releaseAll()
        model.take(model.pool.endAll(now: model.now))
        model.performAll()
        #expect(model.waiting.isEmpty, "seed \(seed)")
        #expect(model.pool.counts == PoolCounts(), "seed \(seed)")
        let fault = model.pool.brokenInvariant()
        #expect(fault == nil, "seed \(seed): \(fault ?? "")")
    }

    @Test(arguments: 0..<50)
    func `WHOLE-03 a storm of aborts, crashes and time-outs leaves no count behind`(seed: Int) throws {
        var generator = SplitMix(state: UInt64(seed) &* 0x2545_F491_4F6C_DD1D)
        var model = PoolModel(Self.configuration())
        model.startsByHand = true
        for _ in 0..<60 { model.lease(CapacityRequest(try Self.request(&generator).kind)) }
        while !model.leased.isEmpty || !model.waiting.isEmpty {
            model.now = model.now + .milliseconds(1)
            // Each call aborts while it waits, or fails while it starts, or crashes, times out or ends well.
            if let waiter = model.waiting.keys.randomElement(using: &generator), Bool.random(using: &generator) {
                let timedOut = Bool.random(using: &generator)
                if model.pool.cancel(waiter, timedOut: timedOut, now: model.now) != nil { model.waiting[waiter] = nil }
            }
            guard let id = model.leased.randomElement(using: &generator) else {
                model.performAll()
                model.tick()
                continue
            }
            let isStarting = model.starting.contains(id)
            model.starting.removeAll { $0 == id }
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                model.leased.removeAll { $0 == id }
                model.take(model.pool.containerEnded(id, now: model.now))
            case 1: model.release(id, keep: false)
            case 2 where isStarting: model.take(model.pool.containerStarted(id, now: model.now))
            default: model.release(id)
            }
            if Bool.random(using: &generator) { model.performAll() }
            guard Int.random(in: 0..<8, using: &generator) == 0 else { continue }
            let fault = model.pool.brokenInvariant()
            try #require(fault == nil, "seed \(seed): \(fault ?? "")")
        }
        model.performAll()
        model.tick(.seconds(1))
        model.performAll()
        let counts = model.pool.counts
        #expect((counts.busy, counts.starting, counts.waiting) == (0, 0, 0), "seed \(seed)")
        try expectNothingLeft(&model, seed: seed)
    }
}
