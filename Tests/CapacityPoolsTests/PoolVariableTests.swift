import CapacityPools
import EngineCore
import Testing

/// Variable capacity: price, wait, deferral and reclaim.
@Suite struct PoolVariableTests {
    private static func model(price: Double = 9, mebibytes: Int = 1024) -> PoolModel {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(512), startsMax: 8, reclaimGrace: .seconds(10)))
        model.take(model.pool.offer(variable: "spot", price: price, memory: .mebibytes(mebibytes), forecast: [], now: model.now))
        return model
    }

    private static func request(_ account: Int = 1, bid: Double = 5, function: Int = 0) throws -> CapacityRequest {
        CapacityRequest(
            try PoolModel.kind(account, function), permission: CapacityPermission(kinds: [.variable], bid: bid))
    }

    private static func offer(_ model: inout PoolModel, price: Double, mebibytes: Int = 1024, forecast: [PricePeriod] = []) {
        model.take(
            model.pool.offer(variable: "spot", price: price, memory: .mebibytes(mebibytes), forecast: forecast, now: model.now))
    }

    @Test func `POOL-12 bid 5 at price 9 waits, and runs when the price is 4`() throws {
        var model = Self.model()
        model.lease(try Self.request())
        #expect(model.waiting.values.map { $0 } == [.variablePrice])
        #expect(try model.subPool("variable/spot").waits["variable_price"] == 1)
        Self.offer(&model, price: 6)
        #expect(model.waiting.count == 1)
        Self.offer(&model, price: 4)
        #expect(model.waiting.isEmpty)
        #expect(model.plans.map(\.subPool) == [.variable("spot")])
        model.expectRightBooks()
    }

    @Test func `POOL-12 who waits for the price is told so when its time is over, and nobody else waits for it`() throws {
        var model = Self.model()
        guard case .wait(let waiter, .variablePrice) = model.lease(try Self.request()) else {
            Issue.record("it did not wait")
            return
        }
        model.lease(try PoolModel.kind(2))
        #expect(model.plans.count == 1)
        #expect(model.pool.cancel(waiter, timedOut: true, now: model.now) == .variablePrice)
        #expect(try model.subPool("variable/spot").refusals["variable_capacity"] == 0)
        #expect(try model.subPool("common").refusals["variable_capacity"] == 1)
        #expect(model.pool.cancel(waiter, now: model.now) == nil)
        #expect(model.pool.counts.waiting == 0)
    }

    @Test func `POOL-12 the highest bid is served first, then the one that came first`() throws {
        var model = Self.model(mebibytes: 256)
        for (account, bid) in [(1, 5.0), (2, 7.0), (3, 5.0), (4, 1.0)] { model.lease(try Self.request(account, bid: bid)) }
        let waiters = model.waiting.keys.sorted { $0.number < $1.number }
        Self.offer(&model, price: 4, mebibytes: 256)
        #expect(model.resumed.map(\.id) == [waiters[1], waiters[0]])
        model.release(model.leased[0], keep: false)
        model.performAll()
        #expect(model.resumed.map(\.id) == [waiters[1], waiters[0], waiters[2]])
        #expect(model.waiting.count == 1)
        model.expectRightBooks()
    }

    @Test func `POOL-11 a price moves the variable sub-pool only, and not what runs`() throws {
        var model = Self.model(price: 1)
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(128)), now: model.now))
        model.lease(try PoolModel.kind(2))
        model.lease(CapacityRequest(try PoolModel.kind(3), permission: CapacityPermission(kinds: [.fixed], named: ["gold"])))
        model.lease(try Self.request())
        model.lease(try Self.request(function: 1))
        let idle = model.leased[3]
        model.release(idle)
        model.release(model.leased[0])
        Self.offer(&model, price: 9)
        // What is idle at too high a price ends; what runs goes on, and ends then.
        #expect(model.actions == [.killContainer(idle)])
        model.performAll()
        #expect(model.leased.count == 2)
        model.releaseAll()
        model.performAll()
        #expect(try model.subPool("variable/spot").memoryHeldBytes == 0)
        #expect(try model.subPool("fixed/gold").memoryHeldBytes > 0)
        #expect(model.pool.counts.idle == 2)
        model.expectRightBooks()
    }

    @Test func `POOL-21 memory that is taken back: idle ends at once, a run has notice and grace, and then is ended`() throws {
        var model = Self.model(price: 1, mebibytes: 512)
        for function in 0..<4 { model.lease(try Self.request(function: function)) }
        model.release(model.leased[0])
        model.now = model.now + .seconds(1)
        Self.offer(&model, price: 1, mebibytes: 128)
        #expect(model.actions.count == 1)
        #expect(model.noticed.count == 2)
        // One finishes in its grace, and its container with it.
        let finishes = model.noticed[0]
        model.release(finishes)
        model.performAll()
        #expect(!model.pool.contains(finishes))
        model.tick(.milliseconds(9999))
        #expect(model.actions.isEmpty)
        model.tick(.milliseconds(1))
        #expect(model.actions == [.killContainer(model.noticed[1])])
        model.performAll()
        // The call has been ended with it, and its caller gives it back: nothing is left of it.
        model.release(model.noticed[1], keep: false)
        #expect(model.pool.counts.busy == 1)
        #expect(model.leased.count == 1)
        #expect(try model.subPool("variable/spot").memoryHeldBytes == 128 << 20)
        model.expectRightBooks()
    }

    @Test func `POOL-13 deferred work begins in the cheap window that is forecast`() throws {
        var model = Self.model(price: 4)
        let cheap = PricePeriod(from: model.now + .seconds(60), to: model.now + .seconds(120), price: 1)
        Self.offer(&model, price: 4, forecast: [cheap])
        var request = try Self.request()
        request.deferral = .seconds(300)
        request.duration = .seconds(2)
        model.lease(request)
        #expect(model.waiting.values.map { $0 } == [.cheaperPeriod])
        #expect(try model.subPool("variable/spot").waits["cheaper_period"] == 1)
        model.tick(.seconds(59))
        #expect(model.plans.isEmpty)
        model.now = model.now + .seconds(1)
        Self.offer(&model, price: 1, forecast: [cheap])
        model.tick()
        #expect(model.plans.map(\.subPool) == [.variable("spot")])
        model.expectRightBooks()
    }

    @Test func `POOL-13 the guard holds when the forecast is wrong, whatever the price`() throws {
        var model = Self.model(price: 4)
        let cheap = PricePeriod(from: model.now + .seconds(250), to: model.now + .seconds(280), price: 1)
        Self.offer(&model, price: 4, forecast: [cheap])
        var request = try Self.request()
        request.deferral = .seconds(300)
        request.duration = .seconds(10)
        model.lease(request)
        model.now = model.now + .seconds(200)
        // The cheap period does not come, and the price is above the bid.
        Self.offer(&model, price: 50, forecast: [])
        #expect(model.plans.isEmpty)
        model.tick(.milliseconds(89_999))
        #expect(model.plans.isEmpty && model.waiting.count == 1)
        model.tick(.milliseconds(1))
        #expect(model.plans.count == 1 && model.waiting.isEmpty)
        model.expectRightBooks()
    }

    @Test func `deferred work runs at once where nothing cheaper can come, or a container is idle`() throws {
        var model = Self.model(price: 4)
        var request = try Self.request()
        request.deferral = .seconds(300)
        model.lease(request)
        #expect(model.plans.count == 1)
        model.releaseAll()
        Self.offer(&model, price: 4, forecast: [PricePeriod(from: model.now + .seconds(9), to: model.now + .seconds(99), price: 1)])
        model.lease(request)
        #expect(model.grants.count == 1)
        request.kind = try PoolModel.kind(5)
        request.permission = .standard
        model.lease(request)
        #expect(model.plans.count == 2)
    }
}
