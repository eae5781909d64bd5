import CapacityPools
import EngineCore
import Testing

/// The state machine driven as the shell drives it: every action is answered later, in any order.
struct PoolModel {
    var pool: PoolStateMachine
    var now = EngineInstant(nanoseconds: 0)
    /// What is still to be done: boots, preloads, kills.
    var actions: [PoolAction] = []
    /// Containers that calls have.
    var leased: [ContainerID] = []
    var waiting: [WaiterID: CapacityWait] = [:]
    var refusals: [CapacityRefusal] = []
    var plans: [StartPlan] = []
    var grants: [ContainerGrant] = []
    /// What callers that waited were answered, in order.
    var resumed: [(id: WaiterID, answer: LeaseAnswer)] = []
    var noticed: [ContainerID] = []
    /// Starts that the test reports itself, if it wants to.
    var starting: [ContainerID] = []
    var startsByHand = false

    init(_ configuration: PoolConfiguration, retention: (any RetentionPolicy)? = nil) {
        pool = PoolStateMachine(configuration: configuration, retention: retention)
    }

    mutating func take(_ new: [PoolAction]) {
        for action in new {
            switch action {
            case .resume(let waiter, let answer):
                waiting[waiter] = nil
                resumed.append((waiter, answer))
                take(answer)
            case .notice(let id): noticed.append(id)
            default: actions.append(action)
            }
        }
    }

    mutating func take(_ answer: LeaseAnswer) {
        switch answer {
        case .warm(let grant):
            leased.append(grant.container)
            grants.append(grant)
        case .start(let plan):
            leased.append(plan.container)
            plans.append(plan)
            if startsByHand { starting.append(plan.container) } else { take(pool.containerStarted(plan.container, now: now)) }
        case .wait(let id, let reason): waiting[id] = reason
        case .refused(let why): refusals.append(why)
        }
    }

    @discardableResult
    mutating func lease(_ request: CapacityRequest) -> LeaseAnswer {
        let (answer, new) = pool.lease(request, now: now)
        // A caller is in line before anything that the answer brought about can resume it.
        if case .wait = answer { take(answer) }
        take(new)
        if case .wait = answer {} else { take(answer) }
        return answer
    }

    @discardableResult
    mutating func lease(_ kind: ContainerClass, mayWait: Bool = true) -> LeaseAnswer { lease(CapacityRequest(kind, mayWait: mayWait)) }

    mutating func release(_ id: ContainerID, keep: Bool = true, state: ByteCount? = nil) {
        leased.removeAll { $0 == id }
        take(pool.release(id, keep: keep, state: state, now: now))
    }

    mutating func releaseAll() { for id in leased { release(id) } }

    mutating func tick(_ duration: Duration = .zero) {
        now = now + duration
        take(pool.tick(now: now))
    }

    mutating func perform(_ action: PoolAction, succeed: Bool = true) {
        switch action {
        case .bootInstance(let id, _, _): take(succeed ? pool.instanceReady(id, now: now) : pool.instanceEnded(id, now: now))
        case .preload(let plan, _):
            take(succeed ? pool.preloaded(plan.container, now: now) : pool.containerEnded(plan.container, now: now))
        case .killInstance(let id): take(pool.instanceEnded(id, now: now))
        case .killContainer(let id): take(pool.containerEnded(id, now: now))
        case .notice, .resume: break
        }
    }

    mutating func performAll() {
        while !actions.isEmpty { perform(actions.removeFirst()) }
    }

    /// The report of a sub-pool by its name.
    func subPool(_ name: String) throws -> SubPoolReport {
        try #require(report.subPools.first { $0.title == name })
    }

    var report: PoolsReport { pool.report(at: WallMoment(epochMilliseconds: 0, instant: now)) }
    var instances: [InstanceReport] { pool.inventory(of: pool.instanceIDs.sorted { $0.number < $1.number }, now: now) }

    var containers: [ContainerReport] { instances.flatMap(\.containers) }

    func expectRightBooks(_ comment: Comment? = nil, location: SourceLocation = #_sourceLocation) {
        let fault = pool.brokenInvariant()
        #expect(fault == nil, comment, sourceLocation: location)
    }

    static func kind(
        _ account: Int = 0, _ function: Int = 0, mebibytes: Int = 128, usesSpares: Bool = true, revision: Int = 0,
        version: FunctionVersion = .latest
    ) throws -> ContainerClass {
        let digits = String(account)
        let id = try #require(AccountID(String(repeating: "0", count: 12 - digits.count) + digits))
        return ContainerClass(
            function: FunctionKey(account: id, region: "us-east-1", name: "f\(function)"), version: version,
            revision: "\(account)-\(function)-\(version)-\(revision)", runtime: "python", memory: .mebibytes(mebibytes),
            usesSpares: usesSpares)
    }
}
