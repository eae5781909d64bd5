import CapacityPools
import EngineCore
import Testing

/// Where two rules meet: deferral and reserved concurrency, permission and dedication, values and starts ahead of calls.
@Suite struct PoolCornerTests {
    private static func model(_ change: (inout PoolConfiguration) -> Void = { _ in }) -> PoolModel {
        var configuration = PoolConfiguration(memory: .mebibytes(2048), startsMax: 8)
        change(&configuration)
        return PoolModel(configuration)
    }

    private static func offer(_ model: inout PoolModel, _ price: Double, _ mebibytes: Int, forecast: [PricePeriod] = []) {
        model.take(
            model.pool.offer(variable: "spot", price: price, memory: .mebibytes(mebibytes), forecast: forecast, now: model.now))
    }

    private static func bidder(_ function: Int = 0) throws -> CapacityRequest {
        CapacityRequest(try PoolModel.kind(1, function), permission: CapacityPermission(kinds: [.variable], bid: 5))
    }

    private static func affinity(_ value: String, _ mode: AffinityDemand.Mode) -> AffinityDemand {
        AffinityDemand(value: value, container: nil, source: .header, mode: mode, busy: .wait, waitMax: .seconds(3))
    }

    private static func result(_ answer: LeaseAnswer) -> AffinityDemand.Result? {
        switch answer {
        case .warm(let grant): grant.affinity?.result
        case .start(let plan): plan.affinity?.result
        case .wait, .refused: nil
        }
    }

    // MARK: Limits

    @Test func `POOL-13 deferred calls that begin together stay within their function's reserved concurrency`() throws {
        var model = Self.model()
        let cheap = PricePeriod(from: model.now + .seconds(60), to: model.now + .seconds(120), price: 1)
        Self.offer(&model, 4, 1024, forecast: [cheap])
        var request = try Self.bidder()
        (request.deferral, request.duration, request.concurrencyMax) = (.seconds(300), .seconds(2), 2)
        for _ in 0..<5 { model.lease(request) }
        #expect(model.waiting.values.allSatisfy { $0 == .cheaperPeriod } && model.waiting.count == 5)
        model.now = model.now + .seconds(60)
        Self.offer(&model, 1, 1024, forecast: [cheap])
        model.tick()
        #expect(model.leased.count == 2 && model.waiting.count == 3)
        // The next one begins when one of them is over, and those that never can are refused when they must have begun.
        model.release(model.leased[0])
        model.tick(.seconds(1))
        #expect(model.leased.count == 2 && model.waiting.count == 2)
        model.expectRightBooks()
        model.tick(.seconds(236))
        #expect(model.refusals.isEmpty && model.waiting.count == 2)
        model.tick(.seconds(1))
        #expect(model.refusals == [.reservedConcurrency, .reservedConcurrency])
        #expect(model.leased.count == 2 && model.waiting.isEmpty)
        model.expectRightBooks()
    }

    @Test func `POOL-06 the waiting calls of one account leave places to wait to the others`() throws {
        var model = Self.model { ($0.memory, $0.waitersMax) = (.mebibytes(128), 8) }
        model.lease(try PoolModel.kind(1))
        for function in 1...5 { model.lease(try PoolModel.kind(1, function)) }
        #expect(model.waiting.count == 2)
        #expect(model.refusals == [.noCapacity, .noCapacity, .noCapacity])
        model.lease(try PoolModel.kind(2))
        #expect(model.waiting.count == 3)
        model.expectRightBooks()
        // A place that is left is free again.
        model.release(model.leased[0], keep: false)
        model.performAll()
        model.lease(try PoolModel.kind(1, 6))
        #expect(model.refusals.count == 3)
        #expect(PoolConfiguration(memory: .zero, waitersMax: 2).waitersPerAccountMax == 1)
        model.expectRightBooks()
    }

    @Test(arguments: [
        (CapacityPermission(mayGrow: false), 0), (CapacityPermission(memoryMax: .mebibytes(3 * 128)), 3),
        (CapacityPermission(instancesMax: 2), 4), (CapacityPermission.standard, 10),
    ])
    func `POOL-07, POOL-09 dedicated containers are started within their account's permission`(
        permission: CapacityPermission, expected: Int
    ) throws {
        var model = Self.model { $0.containersPerInstanceMax = 2 }
        model.take(model.pool.dedicate(try PoolModel.kind(1), count: 10, permission: permission, now: model.now))
        for _ in 0..<10 {
            model.tick(.seconds(1))
            model.performAll()
        }
        #expect(model.pool.counts.idle == expected && model.pool.counts.containers == expected)
        model.expectRightBooks()
    }

    @Test(arguments: [CapacityPermission(memoryMax: .mebibytes(128)), CapacityPermission(instancesMax: 1)])
    func `POOL-09 a start ahead of calls at its account's limit ends nothing that is warm`(permission: CapacityPermission) throws {
        var model = Self.model { $0.containersPerInstanceMax = 1 }
        model.lease(CapacityRequest(try PoolModel.kind(1), permission: permission))
        model.releaseAll()
        let (plan, actions) = model.pool.startAhead(try PoolModel.kind(1, 1), permission: permission, now: model.now)
        #expect(plan == nil && actions.isEmpty)
        #expect(model.pool.hasWarm(try PoolModel.kind(1)))
        // A call is worth it.
        model.lease(CapacityRequest(try PoolModel.kind(1, 1), permission: permission))
        model.performAll()
        #expect(model.plans.count == 2)
        model.expectRightBooks()
    }

    // MARK: Variable capacity

    @Test func `POOL-21 each notice has its own grace when memory is taken back twice`() throws {
        var model = Self.model { $0.reclaimGrace = .seconds(10) }
        Self.offer(&model, 1, 512)
        for function in 0..<4 {
            model.lease(try Self.bidder(function))
            model.now = model.now + .seconds(1)
        }
        let all = model.leased
        Self.offer(&model, 1, 384)
        #expect(model.noticed == [all[3]])
        model.tick(.seconds(9))
        Self.offer(&model, 1, 128)
        #expect(model.noticed == [all[3], all[2], all[1]] && model.actions.isEmpty)
        model.tick(.seconds(1))
        #expect(model.actions == [.killContainer(all[3])])
        model.performAll()
        model.tick(.milliseconds(8999))
        #expect(model.actions.isEmpty)
        model.tick(.milliseconds(1))
        #expect(Set(model.actions.map { "\($0)" }).count == 2)
        model.performAll()
        #expect(model.pool.contains(all[0]) && !model.pool.contains(all[1]) && !model.pool.contains(all[2]))
        model.expectRightBooks()
    }

    @Test func `POOL-13 what was started at any price serves no later call above the account's bid`() throws {
        var model = Self.model()
        let cheap = PricePeriod(from: model.now + .seconds(250), to: model.now + .seconds(280), price: 1)
        Self.offer(&model, 4, 1024, forecast: [cheap])
        var request = try Self.bidder()
        (request.deferral, request.duration) = (.seconds(300), .seconds(10))
        model.lease(request)
        Self.offer(&model, 50, 1024)
        model.tick(.seconds(290))
        #expect(model.plans.count == 1)
        model.releaseAll()
        model.performAll()
        #expect(model.pool.counts.containers == 0)
        model.lease(try Self.bidder())
        #expect(model.waiting.values.map { $0 } == [.variablePrice])
        model.expectRightBooks()
    }

    @Test func `POOL-11 what is adopted from a sub-pool that is not there is ended, and charged to nobody`() throws {
        var model = Self.model()
        for (number, subPool) in [(7, SubPoolID.variable("spot")), (8, .fixed("gold"))] {
            let adopted = AdoptedContainer(
                container: UInt64(number), instance: UInt64(number + 10), kind: try PoolModel.kind(1), subPool: subPool,
                idleSince: model.now, bornAt: model.now)
            #expect(model.pool.adopt(adopted, now: model.now) == [.killContainer(ContainerID(number: UInt64(number)))])
        }
        #expect(model.pool.counts == PoolCounts())
        Self.offer(&model, 1, 512)
        let adopted = AdoptedContainer(
            container: 9, instance: 19, kind: try PoolModel.kind(1), subPool: .variable("spot"), idleSince: model.now, bornAt: model.now)
        #expect(model.pool.adopt(adopted, now: model.now).isEmpty)
        #expect(try model.subPool("variable/spot").memoryHeldBytes == 128 << 20)
        model.expectRightBooks()
    }

    // MARK: Values

    @Test func `STICK-14 state that went with its instance's greatest age is gone, not new`() throws {
        for mode in [AffinityDemand.Mode.require, .prefer] {
            var model = Self.model { $0.instanceLifetimeMax = .seconds(100) }
            let request = CapacityRequest(try PoolModel.kind(1), affinity: Self.affinity("a", mode))
            #expect(Self.result(model.lease(request)) == .new)
            // Once ended while it is idle, once at the end of its call.
            if mode == .require { model.releaseAll() }
            model.tick(.seconds(111))
            model.releaseAll()
            model.performAll()
            #expect(model.pool.counts.containers == 0)
            let answer = model.lease(request)
            if mode == .require {
                #expect(model.refusals == [.affinity])
            } else {
                #expect(Self.result(answer) == .gone)
            }
            model.expectRightBooks()
        }
    }

    @Test func `STICK-14 state in memory that was taken back is gone, not new`() throws {
        var model = Self.model()
        Self.offer(&model, 1, 512)
        var request = try Self.bidder()
        request.affinity = Self.affinity("a", .prefer)
        #expect(Self.result(model.lease(request)) == .new)
        Self.offer(&model, 1, 0)
        #expect(model.noticed == model.leased)
        model.releaseAll()
        model.performAll()
        Self.offer(&model, 1, 512)
        #expect(Self.result(model.lease(request)) == .gone)
        #expect(model.plans.last?.cause == .evicted)
        model.expectRightBooks()
    }

    @Test func `STICK-18 two first calls of a value while a container is started ahead have one container`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        let ahead = try #require(model.pool.startAhead(kind, now: model.now).0)
        let request = CapacityRequest(kind, affinity: Self.affinity("a", .prefer))
        model.lease(request)
        #expect(model.waiting.values.map { $0 } == [.shortage])
        #expect(Self.result(model.lease(request)) == .new)
        let own = try #require(model.leased.first)
        model.take(model.pool.preloaded(ahead.container, now: model.now))
        #expect(model.report.waitingByReason["affinity"] == 1 && model.grants.isEmpty)
        #expect(model.pool.affinityRows().map(\.container) == [own])
        model.expectRightBooks()
        model.release(own)
        #expect(model.grants.map(\.container) == [own] && model.grants.map(\.affinity?.result) == [.hit])
        #expect(model.pool.counts.idle == 1)
        model.expectRightBooks()
    }
}
