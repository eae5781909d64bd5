import CapacityPools
import EngineCore
import Testing

/// The state machine driven as the shell drives it: every action is answered later, in any order.
struct PoolModel {
    var pool: PoolStateMachine
    var now = EngineInstant(nanoseconds: 0)
    var actions: [PoolAction] = []
    var leased: [ContainerID] = []
    var waiting: Set<WaiterID> = []
    var refused = 0
    var plans: [StartPlan] = []

    init(_ configuration: PoolConfiguration) { pool = PoolStateMachine(configuration: configuration) }

    mutating func take(_ new: [PoolAction]) {
        for action in new {
            if case .resume(let waiter, let answer) = action {
                waiting.remove(waiter)
                take(answer)
            } else {
                actions.append(action)
            }
        }
    }

    mutating func take(_ answer: LeaseAnswer) {
        switch answer {
        case .warm(let id): leased.append(id)
        case .start(let plan):
            leased.append(plan.container)
            plans.append(plan)
            take(pool.containerStarted(plan.container, now: now))
        case .wait(let id): waiting.insert(id)
        case .noCapacity: refused += 1
        }
    }

    mutating func lease(_ kind: ContainerClass, mayWait: Bool = true) {
        let (answer, new) = pool.lease(kind, mayWait: mayWait, now: now)
        take(new)
        take(answer)
    }

    mutating func perform(_ action: PoolAction, succeed: Bool = true) {
        switch action {
        case .bootInstance(let id, _, _): take(succeed ? pool.instanceReady(id, now: now) : pool.instanceEnded(id, now: now))
        case .killInstance(let id): take(pool.instanceEnded(id, now: now))
        case .killContainer(let id): take(pool.containerEnded(id, now: now))
        case .resume: break
        }
    }

    mutating func performAll() {
        while let action = actions.popLast() { perform(action) }
    }
}

@Suite struct PoolStateMachineTests {
    static func kind(
        _ account: Int = 0, _ function: Int = 0, mebibytes: Int = 128, usesSpares: Bool = true
    ) throws -> ContainerClass {
        let id = try #require(AccountID("00000000000\(account)"))
        return ContainerClass(
            account: id, revision: "\(account)-\(function)", runtime: "python", memory: .mebibytes(mebibytes), usesSpares: usesSpares)
    }

    @Test func `POOL-06 shortage is judged on free memory, not on a count`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(300)))
        model.lease(try Self.kind(mebibytes: 512), mayWait: false)
        #expect(model.refused == 1)
        model.lease(try Self.kind(mebibytes: 256), mayWait: false)
        #expect(model.leased.count == 1)
    }

    @Test func `POOL-14 a hundred takes of ten ready instances have ten owners`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(100_000), startsMax: 1000, warmingTargets: ["python": 10]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        #expect(model.pool.counts.instancesReady == 10)
        for function in 0..<100 { model.lease(try Self.kind(function % 9, function), mayWait: false) }
        let taken = model.plans.filter { $0.kind == .instance }
        #expect(taken.count == 10)
        #expect(Set(taken.map(\.instance)).count == 10)
        #expect(Set(model.leased).count == 100)
    }

    @Test func `POOL-19 two accounts never share an instance, one account does`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096)))
        for (account, function) in [(1, 1), (2, 1), (1, 2)] { model.lease(try Self.kind(account, function)) }
        #expect(model.pool.counts.instances == 2)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a function whose sandbox differs never gets a prepared container, and leaves it to others`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096), warmingTargets: ["python": 1]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        let strict = try Self.kind(1, 1, usesSpares: false)
        model.lease(strict)
        #expect(model.plans.last?.kind == .newInstance)
        #expect(model.pool.counts.instancesReady == 1)
        model.lease(try Self.kind(1, 2, usesSpares: false))
        #expect(model.plans.last?.kind == .container)
        model.lease(try Self.kind(2, 1))
        #expect(model.plans.last?.kind == .instance)
        let first = model.leased[0]
        model.take(model.pool.release(first, keep: true, now: model.now))
        model.lease(strict)
        #expect(model.leased.last == first)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a prepared container gives way to a function that cannot use it`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(128), spareMemory: .mebibytes(16), warmingTargets: ["python": 1]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        model.lease(try Self.kind(usesSpares: false))
        #expect(model.waiting.count == 1)
        #expect(model.actions.contains { if case .killInstance = $0 { true } else { false } })
        model.performAll()
        #expect(model.plans.map(\.kind) == [.newInstance])
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a replaced revision's containers end, those that run once they have finished`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024), startsMax: 8))
        let old = try Self.kind(0, 0, mebibytes: 128)
        for _ in 0..<3 { model.lease(old) }
        let idle = model.leased.removeLast()
        model.take(model.pool.release(idle, keep: true, now: model.now))
        model.take(model.pool.retire(revision: old.revision))
        #expect(model.actions == [.killContainer(idle)])
        for id in model.leased { model.take(model.pool.release(id, keep: true, now: model.now)) }
        model.leased = []
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        model.lease(try Self.kind(0, 1, mebibytes: 128))
        model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
        #expect(model.pool.counts.idle == 1)
    }

    @Test func `boots of the warming pool are bounded like any other starts`() {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024), startsMax: 2, warmingTargets: ["python": 5]))
        model.take(model.pool.tick(now: model.now))
        #expect(model.pool.counts.instancesBooting == 2)
        model.performAll()
        #expect(model.pool.counts.instancesReady == 5)
    }

    @Test func `an idle container is reused, and gives way when another needs its memory`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(128)))
        model.lease(try Self.kind(0, 1))
        let first = model.leased.removeLast()
        model.take(model.pool.release(first, keep: true, now: model.now))
        model.lease(try Self.kind(0, 1))
        #expect(model.leased == [first])
        model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
        model.lease(try Self.kind(0, 2))
        #expect(model.waiting.count == 1)
        model.performAll()
        #expect(model.waiting.isEmpty)
        #expect(model.leased.count == 1)
    }

    @Test(arguments: 0..<20)
    func `POOL-01, WHOLE-03 after any storm every count returns to zero and the books are right`(seed: Int) throws {
        var generator = SeededGenerator(state: UInt64(seed) &+ 0x9E37_79B9)
        var model = PoolModel(
            PoolConfiguration(
                memory: .mebibytes(2000), containersMax: 30, containersPerInstanceMax: 3, startsMax: 5, waitersMax: 20,
                keepAlive: .seconds(1), warmingTargets: ["python": 2]))
        for step in 0..<3000 {
            model.now = model.now + .milliseconds(Int.random(in: 0...20, using: &generator))
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...3:
                let account = Int.random(in: 0..<4, using: &generator)
                let function = Int.random(in: 0..<6, using: &generator)
                model.lease(
                    try Self.kind(account, function, mebibytes: 64 << (function % 4), usesSpares: function % 3 > 0),
                    mayWait: Bool.random(using: &generator))
            case 4...6 where !model.leased.isEmpty:
                let id = model.leased.remove(at: Int.random(in: 0..<model.leased.count, using: &generator))
                model.take(model.pool.release(id, keep: Int.random(in: 0..<4, using: &generator) > 0, now: model.now))
            case 7 where !model.actions.isEmpty:
                let action = model.actions.remove(at: Int.random(in: 0..<model.actions.count, using: &generator))
                model.perform(action, succeed: Bool.random(using: &generator))
            case 8:
                model.take(model.pool.tick(now: model.now))
            case 9 where !model.waiting.isEmpty:
                if let waiter = model.waiting.randomElement(using: &generator), model.pool.cancel(waiter) { model.waiting.remove(waiter) }
            default: break
            }
            let fault = model.pool.brokenInvariant()
            try #require(fault == nil, "seed \(seed), step \(step): \(fault ?? "")")
        }
        model.take(model.pool.drain())
        for id in model.leased { model.take(model.pool.release(id, keep: true, now: model.now)) }
        model.performAll()
        #expect(model.pool.counts == PoolCounts(), "seed \(seed)")
        #expect(model.pool.brokenInvariant() == nil)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
