import CapacityPools
import EngineCore
import Testing

@Suite struct PoolStateMachineTests {
    @Test func `POOL-06 shortage is judged on free memory, not on a count`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(300)))
        model.lease(try PoolModel.kind(mebibytes: 512), mayWait: false)
        #expect(model.refusals == [.noCapacity])
        model.lease(try PoolModel.kind(mebibytes: 256), mayWait: false)
        #expect(model.leased.count == 1)
    }

    @Test func `POOL-14 a hundred takes of ten ready instances have ten owners`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(100_000), startsMax: 1000, warmingTargets: ["python": 10]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        #expect(model.pool.counts.instancesReady == 10)
        for account in 0..<100 { model.lease(try PoolModel.kind(account), mayWait: false) }
        let taken = model.plans.filter { $0.kind == .instance }
        #expect(taken.count == 10)
        #expect(Set(taken.map(\.instance)).count == 10)
        #expect(Set(model.leased).count == 100)
    }

    @Test func `POOL-19 two accounts never share an instance, one account does`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096)))
        for (account, function) in [(1, 1), (2, 1), (1, 2)] { model.lease(try PoolModel.kind(account, function)) }
        #expect(model.pool.counts.instances == 2)
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a function whose sandbox differs never gets a prepared container, and leaves it to others`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(4096), warmingTargets: ["python": 1]))
        model.take(model.pool.tick(now: model.now))
        model.performAll()
        let strict = try PoolModel.kind(1, 1, usesSpares: false)
        model.lease(strict)
        #expect(model.plans.last?.kind == .newInstance)
        #expect(model.pool.counts.instancesReady == 1)
        model.lease(try PoolModel.kind(1, 2, usesSpares: false))
        #expect(model.plans.last?.kind == .container)
        model.lease(try PoolModel.kind(2, 1))
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
        model.lease(try PoolModel.kind(usesSpares: false))
        #expect(model.waiting.count == 1)
        #expect(model.actions.contains { if case .killInstance = $0 { true } else { false } })
        model.performAll()
        #expect(model.plans.map(\.kind) == [.newInstance])
        #expect(model.pool.brokenInvariant() == nil)
    }

    @Test func `a replaced revision's containers end, those that run once they have finished`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024), startsMax: 8))
        let old = try PoolModel.kind(0, 0, mebibytes: 128)
        for _ in 0..<3 { model.lease(old) }
        let idle = model.leased.removeLast()
        model.take(model.pool.release(idle, keep: true, now: model.now))
        model.take(model.pool.retire(revision: old.revision, now: model.now))
        #expect(model.actions == [.killContainer(idle)])
        for id in model.leased { model.take(model.pool.release(id, keep: true, now: model.now)) }
        model.leased = []
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        model.lease(try PoolModel.kind(0, 1, mebibytes: 128))
        model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
        #expect(model.pool.counts.idle == 1)
    }

    @Test func `a replaced revision that runs in place of the new one keeps its containers, until it is replaced again`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(1024), startsMax: 8))
        let old = try PoolModel.kind(0, 0, mebibytes: 128)
        for isClassKnown in [false, true] {
            if isClassKnown { model.lease(old) }
            model.take(model.pool.retire(revision: old.revision, now: model.now))
            model.pool.reinstate(revision: old.revision)
            if !isClassKnown { model.lease(old) }
            model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
            #expect(model.pool.counts.idle == 1)
            model.take(model.pool.retire(revision: old.revision, now: model.now))
            model.performAll()
            #expect(model.pool.counts == PoolCounts())
            model.pool.reinstate(revision: old.revision)
        }
        #expect(model.pool.brokenInvariant() == nil)
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
        model.lease(try PoolModel.kind(0, 1))
        let first = model.leased.removeLast()
        model.take(model.pool.release(first, keep: true, now: model.now))
        model.lease(try PoolModel.kind(0, 1))
        #expect(model.leased == [first])
        model.take(model.pool.release(model.leased.removeLast(), keep: true, now: model.now))
        model.lease(try PoolModel.kind(0, 2))
        #expect(model.waiting.count == 1)
        model.performAll()
        #expect(model.waiting.isEmpty)
        #expect(model.leased.count == 1)
    }

    @Test func `while as many start as may, idle containers end for as many of those who wait`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(8 * 128), startsMax: 2))
        model.startsByHand = true
        for function in 0..<8 {
            model.lease(try PoolModel.kind(0, function))
            model.take(model.pool.containerStarted(model.starting.removeFirst(), now: model.now))
        }
        model.releaseAll()
        for function in 8..<13 { model.lease(try PoolModel.kind(0, function)) }
        #expect(model.actions.count == 2, "one for each start at once, and no more")
        model.performAll()
        #expect(model.starting.count == 2)
        #expect(model.waiting.count == 3)
        #expect(model.pool.counts.idle == 4, "the next two have made room while these start")
        model.take(model.pool.containerStarted(model.starting.removeFirst(), now: model.now))
        #expect(model.starting.count == 2, "the room was there when the start was")
        #expect(model.waiting.count == 2)
        model.expectRightBooks()
    }
}
