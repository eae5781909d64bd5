import CapacityPools
import EngineCore
import Testing

/// When spares are made, and who is served first, in virtual time.
@Suite struct WarmingPoolTests {
    private static func model(spares: Int = 1, startsMax: Int = 4) -> PoolModel {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(100_000), startsMax: startsMax, warmingTargets: ["python": spares]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        return model
    }

    @Test func `a spare is replaced once no call has started for a while, not beside the call that took it`() throws {
        var model = Self.model()
        model.lease(try PoolModel.kind())
        #expect(model.plans.map(\.kind) == [.instance])
        #expect(model.actions.isEmpty)
        model.now = model.now + .milliseconds(19)
        model.take(model.pool.tick(now: model.now))
        #expect(model.pool.counts.instancesBooting == 0)
        model.now = model.now + .milliseconds(1)
        model.take(model.pool.tick(now: model.now))
        #expect(model.pool.counts.instancesBooting == 1)
    }

    @Test func `no spare boots while a start is under way, however long it takes, within the bound`() throws {
        var model = Self.model()
        let (answer, _) = model.pool.lease(CapacityRequest(try PoolModel.kind(), mayWait: false), now: model.now)
        guard case .start(let plan) = answer else {
            Issue.record("\(answer)")
            return
        }
        model.now = model.now + .milliseconds(499)
        model.take(model.pool.tick(now: model.now))
        #expect(model.pool.counts.instancesBooting == 0)
        model.take(model.pool.containerStarted(plan.container, now: model.now))
        model.now = model.now + .milliseconds(1)
        model.take(model.pool.tick(now: model.now))
        #expect(model.pool.counts.instancesBooting == 1)
    }

    @Test func `steady cold calls get spares all the same, twice a second`() throws {
        var model = Self.model()
        for call in 0..<400 {
            model.now = model.now + .milliseconds(5)
            model.lease(try PoolModel.kind(call))
            model.take(model.pool.tick(now: model.now))
            model.performAll()
        }
        #expect((4...5).contains(model.plans.count { $0.kind == .instance }), "\(model.plans.count { $0.kind == .instance })")
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a runtime that does not boot is left alone, longer each time`() {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1000), warmingTargets: ["python": 1]))
        var attempts: [Int] = []
        for time in stride(from: 0, to: 10_000, by: 50) {
            model.now = EngineInstant(nanoseconds: Int64(time) * 1_000_000)
            model.take(model.pool.tick(now: model.now))
            for case .bootInstance(let id, let spare, _) in model.actions {
                attempts.append(time)
                // The end of its container may be reported before its own, or not.
                if attempts.count % 2 == 0 { model.take(model.pool.containerEnded(spare, now: model.now)) }
                model.take(model.pool.instanceEnded(id, now: model.now))
            }
            model.actions = []
        }
        #expect(attempts == [0, 1000, 3000, 7000])
        #expect(model.pool.counts.instancesBooting == 0)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a container's last sibling ends with their instance, in one go`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024)))
        for function in 0..<2 { model.lease(try PoolModel.kind(1, function)) }
        model.take(model.pool.release(model.leased[0], keep: false, now: model.now))
        #expect(model.actions == [.killContainer(model.leased[0])])
        model.take(model.pool.release(model.leased[1], keep: false, now: model.now))
        #expect(model.actions.last == .killInstance(model.plans[0].instance))
        #expect(model.actions.count == 2)
        // The containers' ends are reported before their instance's.
        for id in model.leased { model.take(model.pool.containerEnded(id, now: model.now)) }
        #expect(model.actions.count == 2)
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        #expect(model.pool.brokenInvariant() == nil)
    }

    // MARK: Homes

    private final class Loop {}

    @Test func `of the newest idle containers one at the caller's home is taken, of older ones none`() throws {
        let loops = (0..<2).map { _ in Loop() }
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096), startsMax: 100))
        let kind = try PoolModel.kind()
        for number in 0..<6 {
            let (answer, _) = model.pool.lease(CapacityRequest(kind, mayWait: false), now: model.now)
            guard case .start(let plan) = answer else {
                Issue.record("\(answer)")
                return
            }
            model.leased.append(plan.container)
            _ = model.pool.containerStarted(plan.container, home: ObjectIdentifier(loops[number < 3 ? 0 : 1]), now: model.now)
        }
        for id in model.leased { _ = model.pool.release(id, keep: true, now: model.now) }
        let homes = loops.map { ObjectIdentifier($0) }
        #expect(model.pool.leaseWarm(kind, home: homes[0], now: model.now) == model.leased[2])
        #expect(model.pool.leaseWarm(kind, home: homes[0], now: model.now) == model.leased[1])
        #expect(model.pool.leaseWarm(kind, home: homes[1], now: model.now) == model.leased[5])
        #expect(model.pool.leaseWarm(kind, now: model.now) == model.leased[4])
        #expect(model.pool.brokenInvariant() == nil)
        // Four that are newer are looked at first.
        _ = model.pool.release(model.leased[2], keep: true, now: model.now)
        for index in [1, 4, 5] { _ = model.pool.release(model.leased[index], keep: true, now: model.now) }
        #expect(model.pool.leaseWarm(kind, home: ObjectIdentifier(Loop.self), now: model.now) == model.leased[5])
        #expect(model.pool.brokenInvariant() == nil)
        withExtendedLifetime(loops) {}
    }

    @Test func `a spare container at the caller's home is taken first`() throws {
        let (here, there) = (Loop(), Loop())
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096), warmingTargets: ["python": 2]))
        var spares: [ContainerID] = []
        for case .bootInstance(let id, let spare, _) in model.pool.tick(now: model.now) {
            spares.append(spare)
            _ = model.pool.instanceReady(id, home: ObjectIdentifier(spares.count == 1 ? here : there), now: model.now)
        }
        let (answer, _) = model.pool.lease(
            CapacityRequest(try PoolModel.kind(), mayWait: false, home: ObjectIdentifier(here)), now: model.now)
        guard case .start(let plan) = answer else {
            Issue.record("\(answer)")
            return
        }
        #expect(plan.container == spares.first)
        #expect(model.pool.brokenInvariant() == nil)
        withExtendedLifetime((here, there)) {}
    }

    // MARK: Waiting

    @Test func `who waits for the same is served in order, also before one who comes later`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(128)))
        let kind = try PoolModel.kind()
        model.lease(kind)
        let id = model.leased[0]
        var order: [WaiterID] = []
        for _ in 0..<3 {
            guard case (.wait(let waiter, _), _) = model.pool.lease(CapacityRequest(kind), now: model.now) else { continue }
            order.append(waiter)
        }
        #expect(order.count == 3)
        for waiter in order {
            #expect(model.pool.lease(CapacityRequest(kind, mayWait: false), now: model.now).0 == .refused(.noCapacity))
            let actions = model.pool.release(id, keep: true, now: model.now)
            guard case .resume(waiter, .warm(let grant))? = actions.first, actions.count == 1 else {
                Issue.record("\(actions)")
                return
            }
            #expect(grant.container == id)
        }
        #expect(model.pool.counts.waiting == 0)
    }

    @Test func `one that cannot be placed does not block the others, nor do many of them`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024)))
        model.lease(try PoolModel.kind(0, 0, mebibytes: 768))
        model.lease(try PoolModel.kind(0, 1, mebibytes: 256))
        for function in 2..<30 { model.lease(try PoolModel.kind(0, function, mebibytes: 512)) }
        model.lease(try PoolModel.kind(0, 30, mebibytes: 256))
        #expect(model.waiting.count == 29)
        model.take(model.pool.release(model.leased[1], keep: false, now: model.now))
        model.performAll()
        #expect(model.leased.count == 3)
        #expect(model.waiting.count == 28)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `of one size, callers are served in the order of their coming, whatever they wait for`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(128)))
        model.lease(try PoolModel.kind())
        var order: [WaiterID] = []
        for function in [1, 2, 1, 3, 2] {
            let kind = try PoolModel.kind(0, function)
            guard case (.wait(let waiter, _), let actions) = model.pool.lease(CapacityRequest(kind), now: model.now) else { continue }
            model.take(actions)
            order.append(waiter)
        }
        #expect(order.count == 5)
        model.waiting = Dictionary(uniqueKeysWithValues: order.map { ($0, .shortage) })
        for waiter in order {
            // Nothing can be placed while the one before is still ending, which costs nobody their turn.
            model.take(model.pool.release(model.leased.removeLast(), keep: false, now: model.now))
            _ = model.pool.tick(now: model.now)
            #expect(model.waiting.keys.contains(waiter))
            model.performAll()
            #expect(!model.waiting.keys.contains(waiter))
        }
        #expect(model.waiting.isEmpty)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a container goes to who waits for its class, until another has waited too long`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(128)))
        let (hot, other) = (try PoolModel.kind(0, 0), try PoolModel.kind(0, 1))
        model.lease(hot)
        model.lease(other)
        for time in [0, 40, 80] {
            model.now = EngineInstant(nanoseconds: Int64(time) * 1_000_000)
            model.lease(hot)
            model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
            model.performAll()
            #expect(model.plans.count == 1)
        }
        model.lease(hot)
        model.now = model.now + .milliseconds(20)
        model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
        model.performAll()
        #expect(model.plans.count == 2)
        #expect(model.waiting.count == 1)
        #expect(model.pool.brokenInvariant() == nil)
    }
}
