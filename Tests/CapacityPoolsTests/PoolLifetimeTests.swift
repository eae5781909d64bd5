import CapacityPools
import EngineCore
import Testing

/// How long things are kept, who is told why they went, and who is charged for them.
@Suite struct PoolLifetimeTests {
    private static func model(_ change: (inout PoolConfiguration) -> Void = { _ in }) -> PoolModel {
        var configuration = PoolConfiguration(memory: .mebibytes(2048), startsMax: 8)
        change(&configuration)
        return PoolModel(configuration)
    }

    @Test func `POOL-19, POOL-20 an instance is one account's for ever, and its memory returns to nobody before it has ended`() throws {
        var model = Self.model { $0.memory = .mebibytes(256) }
        model.lease(try PoolModel.kind(1))
        model.releaseAll()
        let first = try #require(model.plans.first)
        model.lease(try PoolModel.kind(2, mebibytes: 256))
        #expect(model.waiting.count == 1 && model.actions == [.killInstance(first.instance)])
        #expect(model.pool.counts.memoryHeld == .mebibytes(128))
        model.performAll()
        #expect(model.plans.count == 2 && model.plans[1].instance != first.instance)
        #expect(model.plans[1].kind == .newInstance)
        // An idle one is kept for a while, for its account alone.
        model.releaseAll()
        model.tick(.seconds(599))
        #expect(model.pool.counts.idle == 1)
        model.tick(.seconds(1))
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        model.expectRightBooks()
    }

    @Test func `POOL-22 an instance of its greatest age is drained and replaced, and no call fails`() throws {
        var model = Self.model { $0.instanceLifetimeMax = .seconds(100); $0.warmingTargets = ["python": 1] }
        model.take(model.pool.dedicate(try PoolModel.kind(1), count: 1, now: model.now))
        model.tick()
        model.performAll()
        model.lease(try PoolModel.kind(1))
        let busy = model.leased[0]
        let ready = model.instances.filter { $0.state == "ready" }.map(\.instance)
        model.tick(.seconds(111))
        model.performAll()
        model.tick(.seconds(1))
        model.performAll()
        // What runs goes on; another is ready for the next call.
        #expect(model.leased == [busy] && model.pool.contains(busy))
        let after = model.instances.filter { $0.state == "ready" }.map(\.instance)
        #expect(after.count == 1 && after != ready)
        model.lease(try PoolModel.kind(1))
        #expect(model.grants.count == 2 && model.leased[1] != busy)
        model.release(busy)
        model.performAll()
        #expect(!model.pool.contains(busy))
        model.expectRightBooks()
    }

    @Test func `POOL-22 an unhealthy instance serves no new call`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        model.lease(kind)
        model.lease(kind)
        model.release(model.leased[0])
        model.take(model.pool.unhealthy(try #require(model.plans.first).instance, now: model.now))
        model.lease(kind)
        #expect(model.plans.count == 3 && model.plans[2].instance != model.plans[0].instance)
        model.releaseAll()
        model.performAll()
        #expect(model.pool.counts.instances == 1)
        model.expectRightBooks()
    }

    @Test func `what runs or is pinned is never ended for room`() throws {
        var model = Self.model { $0.memory = .mebibytes(256) }
        for account in 1...2 { model.lease(try PoolModel.kind(account)) }
        let (pinned, other) = (model.leased[0], model.leased[1])
        model.release(pinned)
        #expect(model.pool.pin(pinned, true, now: model.now) == true)
        model.lease(try PoolModel.kind(3))
        #expect(model.actions.isEmpty && model.waiting.count == 1)
        model.tick(.seconds(3600))
        #expect(model.pool.contains(pinned) && model.pool.contains(other))
        #expect(model.pool.pin(pinned, false, now: model.now) == true)
        model.tick()
        model.performAll()
        #expect(model.waiting.isEmpty && !model.pool.contains(pinned))
        model.expectRightBooks()
    }

    @Test func `POOL-23 the ledger's rows add up to its total, exactly`() throws {
        var model = Self.model { $0.warmingTargets = ["python": 1] }
        model.tick()
        model.performAll()
        model.lease(try PoolModel.kind(1, mebibytes: 256))
        model.lease(try PoolModel.kind(2, mebibytes: 128))
        model.now = model.now + .seconds(10)
        model.releaseAll()
        model.now = model.now + .seconds(5)
        let report = model.report
        let rows = report.ledger.filter { $0.account != nil }
        #expect(rows.map(\.use.executingSeconds) == [10, 10])
        #expect(rows.map(\.use.instanceSeconds) == [15, 15])
        #expect(rows.map(\.use.memoryMebibyteSeconds).sorted() == [128 * 15, 256 * 15])
        #expect(Set(rows.map(\.subPool)) == [.general(runtime: "python", sizeClass: 10_240), nil])
        #expect(report.ledger.reduce(0) { $0 + $1.use.memoryMebibyteSeconds } == report.totals.memoryMebibyteSeconds)
        #expect(report.ledger.reduce(0) { $0 + $1.use.instanceSeconds } == report.totals.instanceSeconds)
        model.expectRightBooks()
    }

    @Test func `each cold start has its cause, and says what would have made it warm`() throws {
        var model = Self.model { $0.memory = .mebibytes(256) }
        let kind = try PoolModel.kind(1)
        func start(_ kind: ContainerClass) { model.lease(kind); model.performAll() }
        start(kind)
        start(kind)
        model.release(model.leased[1], keep: false)
        model.performAll()
        model.releaseAll()
        model.tick(.seconds(600))
        model.performAll()
        model.now = model.now + .seconds(60)
        start(kind)
        model.releaseAll()
        start(try PoolModel.kind(2, 7, mebibytes: 256))
        model.releaseAll()
        start(kind)
        model.releaseAll()
        model.take(model.pool.kill(model.plans[4].container, now: model.now))
        model.performAll()
        start(kind)
        model.release(model.leased[0], keep: false)
        model.performAll()
        start(kind)
        model.releaseAll()
        model.take(model.pool.retire(revision: kind.revision, now: model.now))
        model.performAll()
        start(try PoolModel.kind(1, revision: 1))
        let colds = model.pool.whyCold(kind.function)
        #expect(colds.map(\.cause) == [.first, .busy, .expired, .evicted, .killed, .ended, .changed])
        #expect(colds.map(\.remedy.kind) == [.nothing, .reserve, .keepLonger, .moreMemory, .nothing, .repair, .nothing])
        #expect(colds[1].remedy.count == 2 && colds[1].busyCount == 1)
        #expect(colds[2].idleSeconds == 600 && colds[2].goneSeconds == 60 && colds[2].remedy.seconds == 660)
        #expect(colds[3].evictedFor == "f7")
        #expect(model.plans.compactMap(\.cause).count == model.plans.count)
    }

    @Test func `functions are forgotten beyond the limit, the longest unused first, and nothing that holds anything`() throws {
        var model = Self.model { $0.functionsRemembered = 5 }
        model.lease(try PoolModel.kind(1, 0))
        for function in 1..<20 {
            model.lease(try PoolModel.kind(1, function, mebibytes: 4096), mayWait: false)
        }
        let remembered = try (1..<20).count { model.pool.functionIndex(try PoolModel.kind(1, $0, mebibytes: 4096)) != nil }
        #expect(remembered == 4)
        #expect(model.pool.functionIndex(try PoolModel.kind(1, 0)) != nil)
        #expect(model.pool.functionIndex(try PoolModel.kind(1, 1, mebibytes: 4096)) == nil)
        #expect(model.pool.functionIndex(try PoolModel.kind(1, 19, mebibytes: 4096)) != nil)
        model.expectRightBooks()
    }

    @Test func `a container that outlived the process before serves again, with its rows; what does not fit ends`() throws {
        var model = Self.model { $0.memory = .mebibytes(256) }
        let kind = try PoolModel.kind(1)
        for number in [40, 41, 42] as [UInt64] {
            model.take(
                model.pool.adopt(
                    AdoptedContainer(
                        container: number, instance: 39, kind: kind, idleSince: model.now, bornAt: model.now), now: model.now))
        }
        #expect(model.actions == [.killContainer(ContainerID(number: 42))])
        let key = AffinityKey(AffinityScope(function: kind.function, version: kind.version), "a")
        var before = AffinityTable()
        _ = before.map(key, to: ContainerID(number: 40), now: model.now)
        model.pool.restoreAffinity(before.saved(now: model.now), now: model.now)
        model.lease(CapacityRequest(kind, affinity: AffinityDemand(value: "a", source: .header)))
        #expect(model.grants.last?.affinity?.result == .hit && model.leased == [ContainerID(number: 40)])
        model.expectRightBooks()
        model.lease(kind)
        model.releaseAll()
        model.lease(try PoolModel.kind(2))
        model.performAll()
        #expect(model.plans.allSatisfy { $0.container.number > 42 && $0.instance.number > 42 })
        model.expectRightBooks()
    }

    @Test func `nothing is started ahead before the containers of the process before are adopted, and these count`() throws {
        var model = Self.model { $0.warmingTargets = ["python": 1] }
        let kind = try PoolModel.kind(1)
        model.pool.holdBack()
        model.take(model.pool.dedicate(kind, count: 2, now: model.now))
        model.tick(.seconds(60))
        #expect(model.actions.isEmpty)
        for number in [40, 42] as [UInt64] {
            model.take(
                model.pool.adopt(
                    AdoptedContainer(
                        container: number, instance: number - 1, kind: kind, subPool: .dedicated(kind.function, kind.version),
                        idleSince: model.now, bornAt: model.now), now: model.now))
        }
        model.take(model.pool.goAhead(now: model.now))
        model.performAll()
        model.tick(.seconds(1))
        let counts = model.pool.counts
        #expect(counts.idle == 2 && counts.instancesReady == 1 && counts.containers == 3)
        model.expectRightBooks()
    }
}
