import CapacityPools
import EngineCore
import Testing

/// Whether capacity may be added for an account, and how much.
@Suite struct PoolPermissionTests {
    private static func model(mebibytes: Int = 8192, startsMax: Int = 100, warming: Int = 0) -> PoolModel {
        var model = PoolModel(
            PoolConfiguration(memory: .mebibytes(mebibytes), startsMax: startsMax, warmingTargets: ["python": warming]))
        model.tick()
        model.performAll()
        return model
    }

    @Test func `POOL-05 the same code of two accounts takes from the sub-pools that each may use`() throws {
        var model = Self.model()
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(1024)), now: model.now))
        model.lease(try PoolModel.kind(1))
        var request = CapacityRequest(try PoolModel.kind(2))
        request.permission = CapacityPermission(kinds: [.fixed], named: ["gold"])
        model.lease(request)
        #expect(model.plans.map(\.subPool) == [nil, .fixed("gold")])
        #expect(try model.subPool("fixed/gold").memoryHeldBytes == 128 << 20)
        model.expectRightBooks()
    }

    @Test func `POOL-07 an account that may not grow is refused, and nothing has changed`() throws {
        var model = Self.model(warming: 1)
        let before = model.pool.counts
        var request = CapacityRequest(try PoolModel.kind(1), permission: CapacityPermission(mayGrow: false))
        model.lease(request)
        #expect(model.refusals == [.noPermission])
        #expect(model.pool.counts == before)
        #expect(try model.subPool("common").refusals["no_permission"] == 1)
        request.permission = .standard
        model.lease(request)
        #expect(model.plans.count == 1)
        // What it holds, it may use.
        model.releaseAll()
        request.permission = CapacityPermission(mayGrow: false)
        model.lease(request)
        #expect(model.grants.count == 1)
        model.expectRightBooks()
    }

    @Test func `POOL-08 the call runs on what was added for it, and the next one on the same`() throws {
        var model = Self.model(warming: 1)
        let kind = try PoolModel.kind(1)
        model.lease(kind)
        let plan = try #require(model.plans.first)
        #expect(plan.kind == .instance)
        model.release(plan.container)
        model.lease(kind)
        #expect(model.grants.map(\.instance) == [plan.instance])
        #expect(model.grants.map(\.container) == [plan.container])
    }

    @Test func `POOL-09 parallel shortages do not overshoot a permission`() throws {
        var model = Self.model()
        model.startsByHand = true
        var peak = 0
        var request = CapacityRequest(
            try PoolModel.kind(1), permission: CapacityPermission(instancesMax: 3, memoryMax: .mebibytes(3 * 128)))
        for _ in 0..<20 {
            model.lease(request)
            peak = max(peak, model.pool.counts.instances)
        }
        #expect(peak == 3)
        #expect(model.waiting.values.allSatisfy { $0 == .permissionLimit } && model.waiting.count == 17)
        // They are all served by what there is, and the limits hold while they are.
        while !model.leased.isEmpty {
            let id = model.leased[0]
            model.take(model.pool.containerStarted(id, now: model.now))
            model.release(id)
            peak = max(peak, model.pool.counts.instances)
            #expect(model.pool.counts.memoryHeld <= .mebibytes(3 * 128))
        }
        #expect(model.waiting.isEmpty && model.resumed.count == 17)
        #expect(peak == 3)
        request.mayWait = false
        request.permission.memoryMax = .mebibytes(64)
        request.kind = try PoolModel.kind(1, 2)
        model.lease(request)
        #expect(model.refusals == [.noPermission])
        model.expectRightBooks()
    }

    @Test func `POOL-09 instances that are full count, and containers in them are added up to their limit`() throws {
        var model = Self.model()
        let permission = CapacityPermission(instancesMax: 2)
        for function in 0..<40 { model.lease(CapacityRequest(try PoolModel.kind(1, function, mebibytes: 64), permission: permission)) }
        #expect(model.pool.counts.instances == 2)
        #expect(model.leased.count == 32)
        #expect(model.waiting.count == 8)
        // A limit of one account holds up no other.
        model.lease(try PoolModel.kind(2))
        #expect(model.leased.count == 33)
        model.releaseAll()
        model.performAll()
        while !model.leased.isEmpty {
            model.releaseAll()
            model.performAll()
        }
        #expect(model.waiting.isEmpty)
        #expect(model.pool.counts.instances <= 3)
        model.expectRightBooks()
    }

    @Test func `an account at its limit gives up its own idle containers, and nobody else's`() throws {
        var model = Self.model()
        let permission = CapacityPermission(memoryMax: .mebibytes(256))
        model.lease(try PoolModel.kind(2))
        for function in 0..<2 { model.lease(CapacityRequest(try PoolModel.kind(1, function), permission: permission)) }
        model.releaseAll()
        model.lease(CapacityRequest(try PoolModel.kind(1, 2), permission: permission))
        #expect(model.waiting.values.map { $0 } == [.permissionLimit])
        model.performAll()
        #expect(model.plans.last?.cause == .first)
        #expect(model.waiting.isEmpty)
        #expect(model.pool.hasWarm(try PoolModel.kind(2)))
        #expect(!model.pool.hasWarm(try PoolModel.kind(1, 0)))
        #expect(model.pool.hasWarm(try PoolModel.kind(1, 1)))
        model.expectRightBooks()
    }

    @Test func `reserved concurrency counts every version, and zero stops the function`() throws {
        var model = Self.model()
        var request = CapacityRequest(try PoolModel.kind(1), concurrencyMax: 2)
        model.lease(request)
        request.kind = try PoolModel.kind(1, version: .published(1))
        model.lease(request)
        model.lease(request)
        #expect(model.refusals == [.reservedConcurrency])
        #expect(model.leased.count == 2)
        model.release(model.leased[0])
        #expect(model.pool.leaseWarm(try PoolModel.kind(1), concurrencyMax: 1, now: model.now) == nil)
        request.concurrencyMax = 0
        model.lease(request)
        #expect(model.refusals == [.reservedConcurrency, .reservedConcurrency])
        request.kind = try PoolModel.kind(1, 2)
        request.concurrencyMax = 1
        model.lease(request)
        #expect(model.leased.count == 2)
        model.expectRightBooks()
    }

    @Test func `POOL-06 every reason to wait or be refused is its own, and counted`() throws {
        var model = Self.model(mebibytes: 256, startsMax: 1)
        model.startsByHand = true
        model.lease(try PoolModel.kind(1))
        model.lease(try PoolModel.kind(2))
        #expect(model.waiting.values.map { $0 } == [.shortage])
        model.lease(try PoolModel.kind(3), mayWait: false)
        model.lease(try PoolModel.kind(3, mebibytes: 512))
        #expect(model.refusals == [.noCapacity, .noCapacity])
        let common = try model.subPool("common")
        #expect(common.waits["shortage"] == 1)
        #expect(common.refusals["no_capacity"] == 2)
        #expect(common.hits["new_instance"] == 1)
    }
}
