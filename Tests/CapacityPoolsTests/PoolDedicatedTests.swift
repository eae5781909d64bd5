import CapacityPools
import EngineCore
import Testing

/// General, dedicated and fixed sub-pools.
@Suite struct PoolDedicatedTests {
    private static func model(mebibytes: Int = 8192, dedicated: Int = 1, warming: Int = 0) throws -> PoolModel {
        var model = PoolModel(
            PoolConfiguration(memory: .mebibytes(mebibytes), startsMax: 8, warmingTargets: ["python": warming]))
        model.take(model.pool.dedicate(try PoolModel.kind(1), count: dedicated, now: model.now))
        model.tick()
        model.performAll()
        return model
    }

    @Test func `POOL-01 an instance is in the warming pool or the active one, and an instance goes one way only`() throws {
        var model = try Self.model(dedicated: 0, warming: 2)
        #expect(model.pool.counts.instancesReady == 2)
        let general = try model.subPool("general/python/10240")
        #expect((general.ready, general.active) == (2, 0))
        model.lease(try PoolModel.kind(2))
        let after = try model.subPool("general/python/10240")
        #expect((after.ready, after.active) == (1, 1))
        model.releaseAll()
        #expect(try model.subPool("general/python/10240").ready == 1)
        model.expectRightBooks()
    }

    @Test func `POOL-02 a dedicated container that is idle is never another account's, however short that is`() throws {
        var model = try Self.model(mebibytes: 256)
        let dedicated = try #require(model.containers.first)
        for function in 0..<5 { model.lease(try PoolModel.kind(2, function)) }
        model.performAll()
        #expect(!model.leased.contains(ContainerID(number: dedicated.container)))
        #expect(model.leased.count == 1)
        #expect(model.pool.hasWarm(try PoolModel.kind(1)))
        let shortage = model.report.waitingByReason["shortage"]
        #expect(shortage == 4)
        model.expectRightBooks()
    }

    @Test func `POOL-04 a dedicated container has its code before the call comes`() throws {
        var model = try Self.model()
        #expect(model.pool.counts.idle == 1)
        model.lease(try PoolModel.kind(1))
        #expect(model.plans.isEmpty)
        #expect(model.grants.map(\.subPool) == [.dedicated(try PoolModel.kind(1).function, .latest)])
    }

    @Test func `POOL-04 it is neither evicted nor ended by its keep-alive, and made anew when it ends`() throws {
        var model = try Self.model(mebibytes: 256)
        model.tick(.seconds(7200))
        #expect(model.pool.counts.idle == 1)
        model.lease(try PoolModel.kind(1))
        model.release(model.leased[0], keep: false)
        model.performAll()
        model.tick()
        model.performAll()
        #expect(model.pool.counts.idle == 1)
        #expect(try model.subPool("dedicated/000000000001/us-east-1/f0:$LATEST").ready == 1)
        model.expectRightBooks()
    }

    @Test(arguments: CapacityPermission.Shortage.allCases)
    func `POOL-10 on a shortage of dedicated containers the account's policy decides`(shortage: CapacityPermission.Shortage) throws {
        var model = try Self.model()
        let request = CapacityRequest(try PoolModel.kind(1), permission: CapacityPermission(shortage: shortage))
        model.lease(request)
        let first = model.leased[0]
        model.lease(request)
        switch shortage {
        case .spill:
            #expect(model.plans.map(\.kind) == [.newInstance])
            #expect(model.plans.map(\.subPool) == [nil])
        case .wait:
            #expect(model.waiting.values.map { $0 } == [.dedicated])
            model.release(first)
            #expect(model.leased == [first])
        case .reject:
            #expect(model.refusals == [.rejectedByPolicy])
            #expect(try model.subPool("dedicated/000000000001/us-east-1/f0:$LATEST").refusals["rejected_by_policy"] == 1)
        }
        model.expectRightBooks()
    }

    @Test func `a call that comes while its dedicated container is started waits for that one`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024)))
        model.take(model.pool.dedicate(try PoolModel.kind(1), count: 1, now: model.now))
        model.lease(try PoolModel.kind(1))
        #expect(model.plans.isEmpty && model.waiting.count == 1)
        model.performAll()
        #expect(model.grants.count == 1)
        // One whose start fails is placed anew.
        model.take(model.pool.dedicate(try PoolModel.kind(2), count: 1, now: model.now))
        model.lease(try PoolModel.kind(2))
        let action = try #require(model.actions.first)
        model.actions.removeAll()
        model.perform(action, succeed: false)
        #expect(model.waiting.isEmpty && model.plans.count == 1)
        model.expectRightBooks()
    }

    @Test func `POOL-15 starts that fail are tried again, longer each time, and counted`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024)))
        var attempts: [Int] = []
        model.take(model.pool.dedicate(try PoolModel.kind(1), count: 1, now: model.now))
        for time in stride(from: 0, to: 8000, by: 50) {
            model.now = EngineInstant(nanoseconds: Int64(time) * 1_000_000)
            model.tick()
            let starts = model.actions.filter { if case .preload = $0 { true } else { false } }
            attempts += starts.map { _ in time }
            while !model.actions.isEmpty { model.perform(model.actions.removeFirst(), succeed: false) }
        }
        #expect(attempts == [0, 1000, 3000, 7000])
        #expect(try model.subPool("dedicated/000000000001/us-east-1/f0:$LATEST").bootFailures == 4)
        model.expectRightBooks()
    }

    @Test func `POOL-15 taking five brings the warming pool back to its target, and no further`() throws {
        var model = try Self.model(dedicated: 0, warming: 5)
        var peak = 0
        for account in 1...5 { model.lease(try PoolModel.kind(account)) }
        #expect(model.pool.counts.instancesReady == 0)
        for _ in 0..<20 {
            model.tick(.milliseconds(50))
            peak = max(peak, model.pool.counts.instancesReady + model.pool.counts.instancesBooting)
            model.performAll()
        }
        #expect(peak == 5)
        #expect(model.pool.counts.instancesReady == 5)
    }

    @Test func `POOL-16 the target may be moved between floor and ceiling, and what is too much ends`() throws {
        var model = try Self.model(dedicated: 0)
        let id = SubPoolID.general(runtime: "python", sizeClass: 512)
        model.take(try model.pool.configure(id, SubPoolSettings(floor: 1, ceiling: 3), now: model.now))
        for (asked, expected) in [(0, 1), (9, 3), (2, 2)] {
            model.take(model.pool.setTarget(id, asked, now: model.now))
            model.tick(.seconds(1))
            model.performAll()
            #expect(try model.subPool("general/python/512").ready == expected)
            #expect(model.pool.counts.instances == expected)
        }
        #expect(throws: PoolError.self) { try model.pool.configure(id, SubPoolSettings(floor: 4, ceiling: 3), now: model.now) }
        model.expectRightBooks()
    }

    @Test func `POOL-18 a function takes a spare of the smallest size class that suits and has one`() throws {
        var model = try Self.model(dedicated: 0)
        for size in [128, 1024] {
            let id = SubPoolID.general(runtime: "python", sizeClass: size)
            model.take(try model.pool.configure(id, SubPoolSettings(floor: 1, ceiling: 1), now: model.now))
        }
        model.tick()
        model.performAll()
        for (account, mebibytes) in [(1, 512), (2, 128), (3, 128), (4, 2048)] {
            model.lease(try PoolModel.kind(account, mebibytes: mebibytes))
        }
        let sizes = [1024, 128].map { SubPoolID.general(runtime: "python", sizeClass: $0) }
        #expect(model.plans.map(\.subPool) == [sizes[0], sizes[1], nil, nil])
        model.expectRightBooks()
    }

    @Test func `POOL-11 a fixed sub-pool's memory is there for its accounts whoever else is short`() throws {
        var model = try Self.model(mebibytes: 512, dedicated: 0)
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(256)), now: model.now))
        for function in 0..<4 { model.lease(try PoolModel.kind(2, function)) }
        #expect(model.leased.count == 2)
        let gold = CapacityPermission(kinds: [.general, .fixed], named: ["gold"])
        for function in 0..<3 { model.lease(CapacityRequest(try PoolModel.kind(1, function), permission: gold)) }
        #expect(model.plans.suffix(2).map(\.subPool) == [.fixed("gold"), .fixed("gold")])
        #expect(model.leased.count == 4)
        #expect(throws: PoolError.self) {
            try model.pool.configure(.fixed("more"), SubPoolSettings(memory: .mebibytes(300)), now: model.now)
        }
        model.expectRightBooks()
    }

    @Test func `POOL-24 lending, draining and resuming a sub-pool take effect at once and are undone`() throws {
        var model = try Self.model(mebibytes: 512, dedicated: 0)
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(256)), now: model.now))
        model.take(try model.pool.lend(from: "gold", memory: .mebibytes(128), until: model.now + .seconds(60), now: model.now))
        for function in 0..<3 { model.lease(try PoolModel.kind(2, function)) }
        #expect(model.leased.count == 3)
        #expect(throws: PoolError.self) { try model.pool.lend(from: "gold", memory: .mebibytes(512), until: nil, now: model.now) }
        model.releaseAll()
        // The time is over: what is idle in what was lent ends, and the guarantee holds again.
        model.tick(.seconds(60))
        #expect(model.actions.count == 1)
        model.performAll()
        #expect(try model.subPool("fixed/gold").memoryLimitBytes == 256 << 20)
        #expect(try model.subPool("common").memoryLimitBytes == 256 << 20)
        var request = CapacityRequest(try PoolModel.kind(1), permission: CapacityPermission(kinds: [.fixed], named: ["gold"]))
        model.take(try model.pool.drain(.fixed("gold"), now: model.now))
        request.mayWait = false
        model.lease(request)
        #expect(model.refusals == [.noPermission])
        model.take(try model.pool.resume(.fixed("gold"), now: model.now))
        model.lease(request)
        #expect(model.plans.last?.subPool == .fixed("gold"))
        model.take(try model.pool.configure(.fixed("gold"), nil, now: model.now))
        #expect(try model.subPool("common").memoryLimitBytes == 512 << 20)
        model.releaseAll()
        model.performAll()
        #expect(!model.report.subPools.contains { $0.name == .fixed("gold") })
        #expect(throws: PoolError.self) { try model.pool.drain(.fixed("gold"), now: model.now) }
        model.expectRightBooks()
    }

    @Test func `a new revision takes the place of the one before among the dedicated`() throws {
        var model = try Self.model(dedicated: 2)
        model.lease(try PoolModel.kind(1))
        let new = try PoolModel.kind(1, revision: 1)
        model.take(model.pool.dedicate(new, count: 2, now: model.now))
        model.performAll()
        #expect(model.pool.hasWarm(new))
        #expect(!model.pool.hasWarm(try PoolModel.kind(1)))
        model.releaseAll()
        model.performAll()
        #expect(model.pool.counts.containers == 2)
        model.take(model.pool.dedicate(new, count: 0, now: model.now))
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        model.expectRightBooks()
    }
}
