import CapacityPools
import EngineCore
import Placement
import Testing

/// What the policies answer to what a pool tells them, without a pool.
struct RetentionTests {
    private static let costs = RetentionCosts(memory: 100, coldStart: 0.2, roundTrip: .infinity)

    private func container(_ number: UInt64) -> ContainerID { ContainerID(number: number) }

    private func market(capacity: Double = 1000, hasRegions: Bool = false) -> MarketRetention {
        var configuration = CapacityMarket.Configuration(capacity: capacity)
        configuration.hasRegions = hasRegions
        return MarketRetention(configuration: configuration, rule: KeepAliveRule(base: 600), seed: 1)
    }

    /// A call from start to end that leaves its container idle.
    private func call(
        _ policy: inout some RetentionPolicy, _ function: Int, in number: UInt64, isNew: Bool, at time: Double, state: Double = 0
    ) {
        policy.callArrived(function, free: 0, now: time)
        if isNew {
            policy.containerStarts(container(number), of: function, now: time)
            policy.containerIsBusy(container(number), of: function)
        } else {
            policy.containerTaken(container(number), of: function, now: time)
        }
        policy.callBegan(function)
        policy.callEnded(function, ran: 0.1, elsewhere: false, now: time + 0.1)
        policy.containerIsIdle(container(number), of: function, wasBusy: true, state: state, now: time + 0.1)
    }

    /// What the policy would answer; it is asked in a copy.
    private func victims(_ policy: some RetentionPolicy, memory: Double, slots: Int = 0, now: Double) -> [RetentionVictim]? {
        var copy = policy
        return copy.victims(memory: memory, slots: slots, gain: .infinity, now: now)
    }

    @Test func `STICK-15 a container is kept the longer the more state it holds`() {
        let rule = KeepAliveRule(base: 600)
        for coldStart in [0.001, 0.05, 2.0] {
            let times = [0, 1, 50, 500].map { rule.seconds(coldStart: coldStart, state: $0) }
            #expect(times[0] == 600)
            #expect(times[0] < times[1] && times[1] < times[2] && times[2] < times[3])
            #expect(times[3] <= 600 * rule.growthMax)
        }
        #expect(KeepAliveRule(base: .infinity).seconds(coldStart: 1, state: 3) == .infinity)
    }

    @Test func `STICK-15 of equal containers the one with state gives way last`() {
        var policy = market()
        policy.functionAdded(0, costs: Self.costs)
        for number in 1...4 as ClosedRange<UInt64> {
            call(&policy, 0, in: number, isNew: true, at: Double(number), state: number == 1 ? 50 : 0)
        }
        for round in 1..<20 {
            for number in 1...4 as ClosedRange<UInt64> {
                call(&policy, 0, in: number, isNew: false, at: Double(round * 10) + Double(number), state: number == 1 ? 50 : 0)
            }
        }
        let three = victims(policy, memory: 300, now: 200)
        #expect(three?.count == 3)
        #expect(three?.contains(.container(container(1))) == false)
        // If all have to go, it goes too.
        #expect(victims(policy, memory: 400, now: 200)?.contains(.container(container(1))) == true)
    }

    @Test func `a container with state that ends leaves nothing behind in the market`() {
        var policy = market()
        policy.functionAdded(0, costs: Self.costs)
        for round in 0..<50 {
            call(&policy, 0, in: UInt64(round), isNew: true, at: Double(round) * 10, state: 20)
            policy.containerEnded(container(UInt64(round)), of: 0, was: .idle, now: Double(round) * 10 + 5)
        }
        #expect(victims(policy, memory: 1, now: 600) == nil)
        policy.functionForgotten(0)
        policy.functionAdded(0, costs: Self.costs)
        call(&policy, 0, in: 99, isNew: true, at: 700)
        #expect(victims(policy, memory: 1, now: 701) == [.leastRecent(of: 0)])
    }

    @Test func `the market ends what is called seldom before what is called often, and slots count like memory`() {
        var policy = market()
        policy.functionAdded(0, costs: Self.costs)
        policy.functionAdded(1, costs: Self.costs)
        call(&policy, 0, in: 1, isNew: true, at: 0)
        call(&policy, 1, in: 2, isNew: true, at: 0)
        for second in 1..<400 {
            call(&policy, 0, in: 1, isNew: false, at: Double(second))
            if second % 100 == 0 { call(&policy, 1, in: 2, isNew: false, at: Double(second) + 0.5) }
        }
        #expect(victims(policy, memory: 50, now: 400) == [.leastRecent(of: 1)])
        #expect(victims(policy, memory: 0, slots: 1, now: 400) == [.leastRecent(of: 1)])
        #expect(victims(policy, memory: -500, slots: 2, now: 400)?.count == 2)
        #expect(victims(policy, memory: 0, slots: 3, now: 400) == nil)
        #expect(victims(policy, memory: 0, now: 400) == [])
    }

    @Test func `the longest idle goes first under the plain policy, and what was used meanwhile does not`() {
        var policy = LeastRecentRetention(rule: KeepAliveRule(base: 600))
        policy.functionAdded(0, costs: Self.costs)
        for number in 1...4 as ClosedRange<UInt64> { call(&policy, 0, in: number, isNew: true, at: Double(number)) }
        call(&policy, 0, in: 1, isNew: false, at: 10)
        policy.containerTaken(container(3), of: 0, now: 11)
        policy.containerEnded(container(2), of: 0, was: .idle, now: 12)
        #expect(victims(policy, memory: 150, now: 13) == [.container(container(4)), .container(container(1))])
        #expect(victims(policy, memory: 250, now: 13) == nil)
        #expect(policy.keepAlive(0, wasBusy: true, state: 0) == 600)
    }

    @Test func `a decision goes through the machine: forwarded where that is quicker, started where it is not`() throws {
        let configuration = PoolConfiguration(memory: .mebibytes(200))
        var pool = PoolStateMachine(configuration: configuration, retention: market(capacity: 200, hasRegions: true))
        let start = EngineInstant(nanoseconds: 1)
        func request(_ name: String, coldStart: Duration) throws -> CapacityRequest {
            let key = FunctionKey(account: try #require(AccountID("000000000001")), region: "r", name: name)
            let kind = ContainerClass(function: key, version: .latest, revision: name, runtime: "python", memory: .mebibytes(64))
            return CapacityRequest(kind, coldStart: coldStart, roundTrip: .milliseconds(30), isAnnounced: true)
        }
        let quick = try request("quick", coldStart: .milliseconds(5))
        let first = pool.decide(quick, now: start).choice
        #expect(first == .startHere)
        guard case .start(let plan) = pool.lease(quick, now: start).0 else {
            Issue.record("there was room")
            return
        }
        _ = pool.containerStarted(plan.container, now: start + .milliseconds(5))
        _ = pool.release(plan.container, keep: true, ran: .milliseconds(10), now: start + .milliseconds(15))
        let again = pool.decide(quick, now: start + .seconds(1)).choice
        #expect(again == nil)
        let slow = try request("slow", coldStart: .milliseconds(500))
        let choice = pool.decide(slow, now: start + .seconds(2)).choice
        #expect(choice == .forward || choice == .forwardAndStart)
        #expect(pool.brokenInvariant() == nil)
    }

    @Test func `PLACE-07 runs too dear for shared memory are forwarded past idle containers, not past those paid for`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024)), retention: market(capacity: 1024, hasRegions: true))
        let (shared, dedicated, fixed) = (try PoolModel.kind(1), try PoolModel.kind(2), try PoolModel.kind(3))
        model.take(model.pool.dedicate(dedicated, count: 1, now: model.now))
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(256)), now: model.now))
        model.lease(shared)
        model.lease(CapacityRequest(fixed, permission: CapacityPermission(kinds: [.fixed], named: ["gold"])))
        model.performAll()
        model.releaseAll()
        #expect(model.pool.counts.idle == 3)
        for (kind, isPaid) in [(shared, false), (dedicated, true), (fixed, true)] {
            let request = CapacityRequest(kind, roundTrip: .milliseconds(30))
            let before = model.pool.decide(request, now: model.now).choice
            #expect(before == nil)
            let began = model.pool.forwardedBegan(kind, now: model.now)
            let call = try #require(began)
            // At a millionth of a second to the mebibyte-second, an hour is dearer than the way.
            model.pool.forwardedEnded(call, ran: .seconds(3600), now: model.now)
            let decision = model.pool.decide(request, now: model.now)
            #expect(decision.choice == (isPaid ? nil : .forward))
            #expect(decision.worth == (isPaid ? .start : .tooLong))
            let taken = model.pool.leaseWarm(kind, now: model.now)
            #expect((taken != nil) == isPaid)
            let run = model.pool.runTimes(kind).there
            #expect(run == 3600)
        }
        model.expectRightBooks()
    }

    @Test func `nobody gives way to a call that will be throttled`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(256)), retention: market(capacity: 256, hasRegions: true))
        func request(_ account: Int, coldStart: Duration, concurrencyMax: Int? = nil) throws -> CapacityRequest {
            CapacityRequest(
                try PoolModel.kind(account), concurrencyMax: concurrencyMax, coldStart: coldStart, roundTrip: .milliseconds(30))
        }
        model.lease(try request(2, coldStart: .milliseconds(1)))
        model.releaseAll()
        model.lease(try request(1, coldStart: .milliseconds(5)))
        var other = model.pool
        let throttled = model.pool.decide(try request(1, coldStart: .milliseconds(5), concurrencyMax: 1), now: model.now)
        #expect(throttled.actions.isEmpty)
        let permitted = other.decide(try request(1, coldStart: .milliseconds(5), concurrencyMax: 2), now: model.now)
        #expect(permitted.choice == .startHere && permitted.actions.count == 1)
    }

    @Test func `a call that has somewhere else to go neither waits nor makes room when its idle container has been taken`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(256)))
        let kind = try PoolModel.kind(1)
        let request = CapacityRequest(kind, isWarmOnly: true)
        model.lease(try PoolModel.kind(2))
        model.lease(kind)
        model.releaseAll()
        model.lease(request)
        #expect(model.grants.count == 1)
        model.lease(request)
        #expect(model.refusals == [.noCapacity])
        #expect(model.waiting.isEmpty && model.actions.isEmpty && model.pool.counts.idle == 1)
        model.expectRightBooks()
    }

    @Test func `a call that waits for a start ahead and has somewhere else to go is refused when the start fails`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(256)))
        let kind = try PoolModel.kind(1)
        model.take(model.pool.dedicate(kind, count: 1, now: model.now))
        model.lease(CapacityRequest(kind, isWarmOnly: true))
        #expect(model.waiting.count == 1)
        let start = try #require(model.actions.first)
        model.actions.removeAll()
        model.perform(start, succeed: false)
        #expect(model.waiting.isEmpty && model.plans.isEmpty)
        #expect(model.resumed.map(\.answer) == [.refused(.noCapacity)])
        model.expectRightBooks()
    }
}
