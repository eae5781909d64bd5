import CapacityPools
import EngineCore
import Testing

/// One particular container.
@Suite struct PoolAffinityTests {
    private static func model(
        mebibytes: Int = 8192, startsMax: Int = 100, limits: AffinityTable.Limits = AffinityTable.Limits()
    ) -> PoolModel {
        PoolModel(PoolConfiguration(memory: .mebibytes(mebibytes), startsMax: startsMax, affinityLimits: limits))
    }

    private static func request(
        _ value: String?, _ kind: ContainerClass, mode: AffinityDemand.Mode = .prefer, busy: AffinityDemand.Busy = .wait,
        container: ContainerID? = nil, waitMax: Duration = .seconds(3)
    ) -> CapacityRequest {
        CapacityRequest(
            kind,
            affinity: AffinityDemand(
                value: value, container: container?.number, source: container == nil ? .header : .token, mode: mode, busy: busy,
                waitMax: waitMax))
    }

    private static func result(_ answer: LeaseAnswer) -> AffinityDemand.Result? {
        switch answer {
        case .warm(let grant): grant.affinity?.result
        case .start(let plan): plan.affinity?.result
        case .wait, .refused: nil
        }
    }

    @Test func `STICK-07 ten values in a thousand interleaved calls have ten containers, each its own`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        var served: [String: Set<ContainerID>] = [:]
        for call in 0..<1000 {
            let value = "v\(call * 7 % 10)"
            let answer = model.lease(Self.request(value, kind))
            #expect(Self.result(answer) == (call < 10 ? .new : .hit))
            let id = try #require(model.leased.last)
            served[value, default: []].insert(id)
            model.release(id)
        }
        #expect(served.count == 10 && served.values.allSatisfy { $0.count == 1 })
        #expect(Set(served.values.joined()).count == 10)
        #expect(model.pool.affinityRows().allSatisfy { $0.uses == 100 })
        model.expectRightBooks()
    }

    @Test func `STICK-06 the table is listed page by page, each row once, with what its container is doing`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        for number in 0..<40 { model.lease(Self.request("v\(number)", kind)) }
        for id in model.leased.prefix(10) { model.release(id) }
        _ = model.pool.removeAffinity(try #require(model.pool.affinityRows().first { $0.key.value == "v39" }).key)
        let rows = stride(from: 0, to: model.pool.affinitySlotCount, by: 7).flatMap { model.pool.affinityRows(inSlots: $0..<$0 + 7) }
        #expect(Set(rows.map(\.row)) == Set(model.pool.affinityRows()) && rows.count == 39)
        #expect(rows.count { $0.state == "idle" } == 10 && rows.count { $0.state == "busy" } == 29)
    }

    @Test func `STICK-11 a miss goes to a loaded container, then the account's instance, then the warming pool`() throws {
        var model = PoolModel(PoolConfiguration(memory: .mebibytes(8192), startsMax: 9, warmingTargets: ["python": 1]))
        model.tick()
        model.performAll()
        let kind = try PoolModel.kind(1)
        model.lease(Self.request("a", kind))
        model.lease(Self.request("b", kind))
        model.lease(kind)
        model.release(model.leased[2])
        guard case .warm(let grant) = model.lease(Self.request("c", kind)) else {
            Issue.record("the loaded container was not taken")
            return
        }
        #expect(grant.affinity?.result == .new)
        #expect(model.plans.map(\.branch) == [.warmingPool, .ownInstance, .ownInstance])
        #expect(try model.subPool("general/python/10240").hits["loaded"] == 1)
        model.expectRightBooks()
    }

    @Test(arguments: [AffinityDemand.Mode.prefer, .require])
    func `STICK-12 a container of a smaller revision is not used silently`(mode: AffinityDemand.Mode) throws {
        var model = Self.model()
        let small = try PoolModel.kind(1, mebibytes: 128)
        model.lease(Self.request("a", small))
        model.releaseAll()
        let large = try PoolModel.kind(1, mebibytes: 256, revision: 1)
        let answer = model.lease(Self.request("a", large, mode: mode))
        if mode == .prefer {
            #expect(Self.result(answer) == .moved)
            model.releaseAll()
            #expect(Self.result(model.lease(Self.request("a", large))) == .hit)
        } else {
            #expect(answer == .refused(.affinity))
            model.releaseAll()
            #expect(Self.result(model.lease(Self.request("a", large, mode: mode))) == .new)
        }
        model.expectRightBooks()
    }

    @Test(arguments: AffinityDemand.Busy.allCases, AffinityDemand.Mode.allCases)
    func `STICK-13 a call for a busy container waits, overflows or is rejected`(
        busy: AffinityDemand.Busy, mode: AffinityDemand.Mode
    ) throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        model.lease(Self.request("a", kind))
        let first = model.leased[0]
        let answer = model.lease(Self.request("a", kind, mode: mode, busy: busy))
        switch (busy, mode) {
        case (.wait, _):
            #expect(model.waiting.values.map { $0 } == [.affinity])
            model.release(first)
            #expect(model.leased == [first])
            #expect(model.grants.last?.affinity?.result == .hit)
        case (.overflow, .prefer):
            #expect(Self.result(answer) == .moved)
            #expect(model.plans.last?.affinity?.isOverflow == true)
            #expect(model.plans.last?.cause == .affinity)
            #expect(model.leased.count == 2)
            #expect(model.pool.affinityRows().map(\.container) == [first])
        case (.reject, _), (.overflow, .require): #expect(answer == .refused(.rejectedByPolicy))
        }
        model.expectRightBooks()
    }

    @Test(arguments: AffinityDemand.Mode.allCases)
    func `STICK-13 the wait is bounded in time, and in callers`(mode: AffinityDemand.Mode) throws {
        var configuration = PoolConfiguration(memory: .mebibytes(8192), startsMax: 9)
        configuration.affinityWaitersMax = 2
        var model = PoolModel(configuration)
        let request = Self.request("a", try PoolModel.kind(1), mode: mode, waitMax: .seconds(2))
        for _ in 0..<4 { model.lease(request) }
        #expect(model.waiting.count == 2)
        let isRequired = mode == .require
        #expect(model.refusals == (isRequired ? [.rejectedByPolicy] : []))
        #expect(model.plans.count == (isRequired ? 1 : 2))
        model.tick(.milliseconds(1999))
        #expect(model.waiting.count == 2)
        model.tick(.milliseconds(1))
        #expect(model.waiting.isEmpty)
        #expect(model.refusals.count == (isRequired ? 3 : 0))
        #expect(model.plans.count == (isRequired ? 1 : 4))
        #expect(model.plans.dropFirst().allSatisfy { $0.affinity?.isOverflow == true })
        model.expectRightBooks()
    }

    @Test func `STICK-14 after its container was killed the value has another, and its caller is told`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        model.lease(Self.request("a", kind))
        let first = model.leased[0]
        model.lease(Self.request("a", kind))
        model.take(model.pool.kill(first, now: model.now))
        // The one who waited for it is not forgotten.
        #expect(model.plans.map(\.affinity?.result) == [.new, .gone])
        model.performAll()
        model.release(first, keep: false)
        model.releaseAll()
        #expect(Self.result(model.lease(Self.request("a", kind))) == .hit)
        model.expectRightBooks()
        // In require mode it is said once.
        model.take(model.pool.kill(model.leased[0], now: model.now))
        model.performAll()
        #expect(model.lease(Self.request("a", kind, mode: .require)) == .refused(.affinity))
        #expect(Self.result(model.lease(Self.request("a", kind, mode: .require))) == .new)
    }

    @Test func `STICK-15 a container is kept the longer the more its calls have left in it`() throws {
        var model = Self.model()
        var kept: [Double] = []
        for (function, mebibytes) in [0, 1, 50].enumerated() {
            model.lease(Self.request("a", try PoolModel.kind(1, function)))
            model.release(model.leased[0], state: .mebibytes(mebibytes))
            kept.append(try #require(model.containers.last?.expiresSeconds))
        }
        #expect(kept[0] < kept[1] && kept[1] < kept[2])
    }

    @Test func `STICK-16 expiry removes the rows with the container, and the next caller is new`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        for value in ["a", "b"] { model.lease(Self.request(value, kind)) }
        model.releaseAll()
        model.tick(.seconds(600))
        model.performAll()
        #expect(model.pool.affinityRows().isEmpty)
        #expect(model.pool.counts.containers == 0)
        #expect(Self.result(model.lease(Self.request("a", kind))) == .new)
        model.expectRightBooks()
    }

    @Test func `STICK-17 an equal value of another account, function or version has a container of its own`() throws {
        var model = Self.model()
        let kinds = [
            try PoolModel.kind(1), try PoolModel.kind(2), try PoolModel.kind(1, 1), try PoolModel.kind(1, version: .published(2)),
        ]
        for kind in kinds { model.lease(Self.request("a", kind)) }
        #expect(Set(model.leased).count == 4 && model.plans.count == 4)
        // A token of another account's container is as if there were none.
        let foreign = model.leased[0]
        model.releaseAll()
        let answer = model.lease(Self.request(nil, kinds[1], container: foreign))
        #expect(model.leased == [model.plans[1].container])
        #expect(Self.result(answer) == .gone)
        #expect(model.grants.last?.affinity?.tokenIsVoid == true)
        #expect(model.lease(Self.request(nil, kinds[1], mode: .require, container: foreign)) == .refused(.affinity))
        model.expectRightBooks()
    }

    @Test func `STICK-10 a token has its call served by the very container, and by no other in require mode`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        for _ in 0..<3 { model.lease(kind) }
        let wanted = model.leased[1]
        model.releaseAll()
        #expect(Self.result(model.lease(Self.request(nil, kind, mode: .require, container: wanted))) == .hit)
        #expect(model.leased == [wanted])
    }

    @Test func `STICK-18 fifty first calls with one value make one mapping and one container`() throws {
        var model = Self.model(startsMax: 4)
        model.startsByHand = true
        let kind = try PoolModel.kind(1)
        for _ in 0..<50 { model.lease(Self.request("a", kind)) }
        #expect(model.plans.count == 1 && model.waiting.count == 49)
        model.take(model.pool.containerStarted(model.leased[0], now: model.now))
        while !model.leased.isEmpty { model.releaseAll() }
        #expect(model.waiting.isEmpty)
        #expect(model.pool.counts.containers == 1)
        #expect(model.pool.affinityRows().map(\.uses) == [50])
        model.expectRightBooks()
    }

    @Test func `STICK-18 one mapping is made even when there was no room at first`() throws {
        var model = Self.model(mebibytes: 256)
        let kind = try PoolModel.kind(1)
        for account in 2...3 { model.lease(try PoolModel.kind(account)) }
        for _ in 0..<5 { model.lease(Self.request("a", kind)) }
        #expect(model.waiting.values.allSatisfy { $0 == .shortage })
        let others = model.leased
        for id in others { model.release(id, keep: false) }
        model.performAll()
        while !model.leased.isEmpty { model.releaseAll() }
        #expect(model.waiting.isEmpty)
        #expect(model.pool.affinityRows().count == 1)
        #expect(model.pool.counts.containers == 1)
        model.expectRightBooks()
    }

    @Test func `STICK-20 a flood of values starves nobody: rows are capped, their containers give way`() throws {
        let limits = AffinityTable.Limits(rowsMax: 100, rowsPerFunctionMax: 10, goneMax: 10)
        var model = Self.model(mebibytes: 2048, limits: limits)
        let flood = try PoolModel.kind(1)
        for call in 0..<500 {
            model.lease(Self.request("v\(call)", flood))
            model.releaseAll()
            model.performAll()
            model.releaseAll()
        }
        #expect(model.pool.affinityRows().count <= 10)
        #expect(model.waiting.isEmpty)
        let before = model.plans.count
        for function in 0..<10 {
            model.lease(try PoolModel.kind(2, function))
            model.performAll()
        }
        #expect(model.plans.count == before + 10)
        #expect(model.waiting.isEmpty)
        model.expectRightBooks()
    }

    @Test func `a call without affinity takes a mapped container only when no other is idle, and a row can be removed`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        model.lease(Self.request("a", kind))
        model.lease(kind)
        let (mapped, plain) = (model.leased[0], model.leased[1])
        model.release(plain)
        model.release(mapped)
        #expect(model.pool.leaseWarm(kind, now: model.now) == plain)
        #expect(model.pool.leaseWarm(kind, now: model.now) == mapped)
        for id in [plain, mapped] { model.release(id) }
        let row = try #require(model.pool.affinityRows().first)
        #expect(model.pool.removeAffinity(row.key) != nil)
        #expect(model.pool.leaseWarm(kind, now: model.now) == mapped)
        #expect(Self.result(model.lease(Self.request("a", kind))) == .new)
        model.expectRightBooks()
    }
}
