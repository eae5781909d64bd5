import EngineCore
import Testing

@testable import CapacityPools

/// What is promised to some, and what does not grow with how many there are.
@Suite struct PoolGuaranteeTests {
    private static func model(_ change: (inout PoolConfiguration) -> Void = { _ in }) -> PoolModel {
        var configuration = PoolConfiguration(memory: .mebibytes(2048), startsMax: 100)
        change(&configuration)
        return PoolModel(configuration)
    }

    private static func gold(_ function: Int) throws -> CapacityRequest {
        CapacityRequest(
            try PoolModel.kind(1, function), permission: CapacityPermission(kinds: [.fixed], named: ["gold"]), mayWait: false)
    }

    @Test func `POOL-11 a fixed sub-pool has its share of the slots, however many calls others make`() throws {
        var model = Self.model { $0.containersMax = 8 }
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(512)), now: model.now))
        for function in 0..<10 { model.lease(try PoolModel.kind(2, function), mayWait: false) }
        #expect((model.leased.count, model.refusals.count) == (6, 4))
        for function in 0..<3 { model.lease(try Self.gold(function)) }
        #expect((model.leased.count, model.refusals.count) == (8, 5))
        #expect(try model.subPool("fixed/gold").memoryHeldBytes == 256 << 20)
        model.expectRightBooks()
    }

    @Test func `POOL-11 slots that are promised anew are made free, and come back when the promise ends`() throws {
        var model = Self.model { $0.containersMax = 8 }
        for function in 0..<8 { model.lease(try PoolModel.kind(2, function)) }
        model.releaseAll()
        model.take(try model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(512)), now: model.now))
        model.performAll()
        #expect(model.pool.counts.idle == 6)
        model.lease(try Self.gold(0))
        #expect(model.leased.count == 1)
        // What is lent is not promised: one slot less.
        model.take(try model.pool.lend(from: "gold", memory: .mebibytes(256), until: nil, now: model.now))
        model.lease(try PoolModel.kind(2, 20))
        #expect(model.leased.count == 2 && model.pool.counts.containers == 8)
        model.expectRightBooks()
    }

    @Test func `POOL-15 a function that fails when it is started ahead of calls is left alone, longer each time, and counted`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        var attempts: [Int] = []
        func tryAt(_ time: Int, succeed: Bool = false) {
            model.now = EngineInstant(nanoseconds: Int64(time) * 1_000_000)
            let (plan, actions) = model.pool.startAhead(kind, now: model.now)
            model.take(actions)
            guard let plan else { return }
            attempts.append(time)
            model.perform(.preload(plan, kind), succeed: succeed)
            model.performAll()
        }
        for time in stride(from: 0, to: 8000, by: 50) { tryAt(time) }
        #expect(attempts == [0, 1000, 3000, 7000])
        #expect(try model.subPool("common").bootFailures == 4)
        // A start that succeeds, or another revision, begins anew.
        tryAt(16_000, succeed: true)
        let (other, _) = model.pool.startAhead(try PoolModel.kind(1, revision: 1), now: model.now)
        #expect(attempts.last == 16_000 && other != nil)
        model.expectRightBooks()
    }

    @Test func `POOL-07 a changed permission reaches what is dedicated at once, and it is known that it was in the way`() throws {
        var model = Self.model()
        let kind = try PoolModel.kind(1)
        func dedicated() -> PoolStateMachine.Dedicated? { model.pool.dedicated(kind.function, kind.version) }
        model.take(model.pool.dedicate(kind, count: 2, permission: CapacityPermission(mayGrow: false), now: model.now))
        #expect(model.actions.isEmpty && dedicated() == .init(target: 2, isHeldByPermission: true))
        for _ in 0..<3 { model.tick(.seconds(1)) }
        #expect(model.actions.isEmpty)
        func permit(_ permission: CapacityPermission) throws {
            model.take(model.pool.permissionChanged(of: kind.account, to: permission, now: model.now))
        }
        try permit(CapacityPermission(instancesMax: 1))
        #expect(model.actions.count == 1)
        model.performAll()
        // One instance has room for both.
        #expect(dedicated()?.isHeldByPermission == false)
        model.tick()
        model.performAll()
        #expect(dedicated() == .init(target: 2, allocated: 2, ready: 2))
        // What it holds is not taken from it.
        try permit(CapacityPermission(mayGrow: false))
        #expect(dedicated() == .init(target: 2, allocated: 2, ready: 2))
        model.lease(kind)
        #expect(dedicated() == .init(target: 2, allocated: 2, ready: 1))
        model.expectRightBooks()
    }

    @Test func `a dedicated sub-pool has its turn, however many others are short for good`() throws {
        var model = Self.model()
        for function in 0..<(3 * PoolStateMachine.shortLookMax) {
            model.take(
                model.pool.dedicate(
                    try PoolModel.kind(1, function), count: 1, permission: CapacityPermission(mayGrow: false), now: model.now))
        }
        let kind = try PoolModel.kind(2)
        model.take(model.pool.dedicate(kind, count: 1, now: model.now))
        model.performAll()
        let first = try #require(model.containers.first)
        model.take(model.pool.kill(ContainerID(number: first.container), now: model.now))
        model.performAll()
        for _ in 0..<5 {
            model.tick(.milliseconds(50))
            model.performAll()
        }
        #expect(model.pool.dedicated(kind.function, kind.version)?.ready == 1)
        model.expectRightBooks()
    }

    @Test func `the agenda follows what there is, not what there has been`() throws {
        var model = Self.model()
        for number in 0..<5000 {
            model.now = model.now + .milliseconds(1)
            model.lease(try PoolModel.kind(1, number % 7))
            model.release(model.leased[0], keep: number % 2 == 0)
            for instance in model.instances {
                model.take(model.pool.kill(InstanceID(number: instance.instance), now: model.now))
            }
            model.performAll()
        }
        #expect(model.pool.agenda.count <= PoolStateMachine.agendaMin + 100)
        // What is still there is looked at when its time comes.
        model.lease(try PoolModel.kind(1))
        model.releaseAll()
        model.tick(.seconds(601))
        model.performAll()
        #expect(model.pool.counts == PoolCounts())
        model.expectRightBooks()
    }
}
