import CapacityPools
import EngineCore
import Foundation
import Placement

/// What one operation of the pool's state machine costs: a lease and its release, warm and cold, beside more and more idle containers; a
/// decision where a call runs; and what it takes to have seen a million functions.
///
/// Wall-clock time of one thread on whatever this runs on; the figures of one run are compared with each other, for a call must cost the
/// same whatever is idle beside it. Run it in release: `swift run -c release wayside-pool-bench`.
@main struct PoolBenchmark {
    static let accounts = 200
    static let functions = 2000

    static func main() {
        // First, while nothing has been held before.
        let before = residentMebibytes()
        let pool = Bench.millionSeen()
        let growth = residentMebibytes() - before
        print("a million functions seen, \(pool.rememberedCount) of them remembered: \(growth) MiB\n")
        let rows = [(100, "lru"), (1000, "lru"), (10_000, "lru"), (10_000, "market")]
        print("idle    retention  warm lease+release  by request  full node: evict+start+release   ns per operation")
        for (idle, name) in rows {
            var bench = Bench(containers: idle, usesMarket: name == "market")
            let warm = bench.warm(500_000)
            let full = bench.request(500_000)
            let cold = bench.evict(idle, 50_000)
            print("\(pad(idle, 6))  \(name == "lru" ? "lru   " : name)     \(pad(warm, 12))  \(pad(full, 16))  \(pad(cold, 20))")
        }
        print("\nidle    decision: warm  region, rare  room is made   ns per decision, market")
        for idle in [100, 1000, 10_000] {
            var bench = Bench(containers: idle, usesMarket: true, hasRegions: true)
            let (warm, rare) = (bench.decideWarm(200_000), bench.decideRare(200_000))
            // Room for all who come, or those who are known for seven calls would keep out who has had four.
            bench = Bench(containers: idle, usesMarket: true, hasRegions: true, remembered: 65_536)
            print("\(pad(idle, 6))  \(pad(warm, 14))  \(pad(rare, 12))  \(bench.decideFull(20_000))")
        }
        print("\nidle    a listing's page of all: containers  routing values  sub-pools  check of the books, then a call   microseconds")
        for idle in [100, 1000, 10_000] {
            var bench = Bench(containers: idle, usesMarket: true, hasValues: true)
            print("\(pad(idle, 6))  \(bench.listings())")
        }
    }

    /// The most this process has held so far, by the kernel.
    private static func residentMebibytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss >> 10
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.count)) + digits
    }
}

private struct Bench {
    var pool: PoolStateMachine
    var kinds: [ContainerClass] = []
    var now = EngineInstant(nanoseconds: 1)
    private var random = SystemRandomNumberGenerator()

    /// A node that is full of idle containers: those of the first functions, as many as fit.
    init(containers: Int, usesMarket: Bool, hasRegions: Bool = false, hasValues: Bool = false, remembered: Int = 16_384) {
        let memory = ByteCount.mebibytes(128)
        var configuration = PoolConfiguration(
            memory: ByteCount(containers * memory.bytes), containersMax: containers + 8, startsMax: 64, keepAlive: .seconds(36_000))
        configuration.rareCalls = hasRegions ? 3 : 0
        configuration.functionsRemembered = remembered
        pool = PoolStateMachine(
            configuration: configuration, retention: usesMarket ? Self.market(configuration, hasRegions: hasRegions) : nil)
        for function in 0..<PoolBenchmark.functions {
            let digits = String(function % PoolBenchmark.accounts)
            guard let account = AccountID(String(repeating: "0", count: 12 - digits.count) + digits) else { continue }
            kinds.append(
                ContainerClass(
                    function: FunctionKey(account: account, region: "us-east-1", name: "function-\(function)"), version: .latest,
                    revision: "6f9619ff-8b86-d011-b42d-00cf4fc9\(1000 + function)", runtime: "python3.13", memory: memory))
        }
        var held: [ContainerID] = []
        for number in 0..<containers {
            now = now + .microseconds(10)
            let value = hasValues ? AffinityDemand(value: "value-\(number)", source: .literal) : nil
            let request = CapacityRequest(kinds[number % kinds.count], affinity: value)
            guard case .start(let plan) = pool.lease(request, now: now).0 else { continue }
            _ = pool.containerStarted(plan.container, now: now)
            held.append(plan.container)
        }
        for id in held { _ = pool.release(id, keep: true, now: now) }
        precondition(pool.counts.idle == containers, "\(pool.counts.idle) of \(containers) are idle")
    }

    private static func market(_ configuration: PoolConfiguration, hasRegions: Bool) -> any RetentionPolicy {
        var market = CapacityMarket.Configuration(capacity: Double(configuration.memory.bytes >> 20))
        market.hasRegions = hasRegions
        return MarketRetention(configuration: market, rule: KeepAliveRule(base: 36_000), seed: 1)
    }

    private mutating func measure(_ count: Int, _ operation: (inout Bench, Int) -> Void) -> Int {
        let begun = EngineInstant.now()
        for number in 0..<count {
            now = now + .microseconds(10)
            operation(&self, number)
        }
        return Int((EngineInstant.now() - begun).wholeNanoseconds) / count
    }

    /// The way of a warm call without affinity.
    mutating func warm(_ count: Int) -> Int {
        let present = min(kinds.count, pool.counts.idle)
        return measure(count) { bench, number in
            guard let id = bench.pool.leaseWarm(bench.kinds[number &* 7919 % present], now: bench.now) else { return }
            _ = bench.pool.release(id, keep: true, ran: .milliseconds(1), now: bench.now)
        }
    }

    /// The same by a whole request.
    mutating func request(_ count: Int) -> Int {
        let present = min(kinds.count, pool.counts.idle)
        return measure(count) { bench, number in
            let request = CapacityRequest(bench.kinds[number &* 7919 % present])
            guard case .warm(let grant) = bench.pool.lease(request, now: bench.now).0 else { return }
            _ = bench.pool.release(grant.container, keep: true, ran: .milliseconds(1), now: bench.now)
        }
    }

    /// A call that finds nothing idle of its own on a node that is full: one has to end for it.
    mutating func evict(_ idle: Int, _ count: Int) -> Int {
        let revisions = kinds
        return measure(count) { bench, number in
            let kind = revisions[number % revisions.count]
            let cold = ContainerClass(
                function: kind.function, version: .published(1 + number % 3), revision: "\(kind.revision)-\(number)", runtime: kind.runtime,
                memory: kind.memory)
            let (answer, actions) = bench.pool.lease(CapacityRequest(cold), now: bench.now)
            var starting: ContainerID?
            if case .start(let plan) = answer { starting = plan.container }
            for action in actions { bench.perform(action, &starting) }
            guard let starting else { return }
            _ = bench.pool.containerStarted(starting, now: bench.now)
            _ = bench.pool.release(starting, keep: true, ran: .milliseconds(1), now: bench.now)
        }
    }

    /// A call that finds an idle container.
    mutating func decideWarm(_ count: Int) -> Int {
        let present = min(kinds.count, pool.counts.idle)
        return measure(count) { bench, number in
            _ = bench.pool.decide(Self.request(bench.kinds[number &* 7919 % present]), now: bench.now)
        }
    }

    private static func request(_ kind: ContainerClass) -> CapacityRequest {
        CapacityRequest(kind, coldStart: .milliseconds(20), roundTrip: .milliseconds(30))
    }

    /// A call of a function that was hardly ever seen.
    mutating func decideRare(_ count: Int) -> Int {
        let strangers = Self.strangers(count / 2)
        return measure(count) { bench, number in
            _ = bench.pool.decide(Self.request(strangers[number % strangers.count]), now: bench.now)
        }
    }

    private static func strangers(_ count: Int, from first: Int = 0) -> [ContainerClass] {
        (first..<first + count).compactMap { number in
            AccountID("000000000001").map {
                ContainerClass(
                    function: FunctionKey(account: $0, region: "us-east-1", name: "stranger-\(number)"), version: .latest,
                    revision: "00000000-8b86-d011-b42d-\(100_000_000_000 + number)", runtime: "python3.13", memory: .mebibytes(128))
            }
        }
    }

    /// A call that finds the node full of others' idle containers, some of which have to go for it: functions come into fashion one
    /// after the other, each for seven calls, of which the first three are too few to be known by, the fourth makes it known, and the
    /// fifth, which is the first that may start here, is what is measured.
    mutating func decideFull(_ count: Int) -> String {
        var spent: [Int] = []
        var chosen = 0
        // First as many as fit, so that those who have to go are like those who come, and the price has settled.
        let before = pool.counts.idle + 2000
        for (number, kind) in Self.strangers(before + count, from: 2_000_000).enumerated() {
            let request = Self.request(kind)
            for _ in 0..<4 { decideAndForward(kind) }
            now = now + .milliseconds(3)
            let begun = EngineInstant.now()
            let decision = pool.decide(request, now: now)
            let took = Int((EngineInstant.now() - begun).wholeNanoseconds)
            if number >= before {
                spent.append(took)
                chosen += decision.actions.isEmpty ? 0 : 1
            }
            var starting: ContainerID?
            for action in decision.actions { perform(action, &starting) }
            guard decision.choice == .startHere, case .start(let plan) = pool.lease(request, now: now).0 else { continue }
            _ = pool.containerStarted(plan.container, now: now)
            _ = pool.release(plan.container, keep: true, ran: .milliseconds(1), now: now)
            for _ in 0..<2 {
                now = now + .milliseconds(3)
                _ = pool.decide(request, now: now)
                guard let id = pool.leaseWarm(kind, now: now) else { break }
                _ = pool.release(id, keep: true, ran: .milliseconds(1), now: now)
            }
        }
        spent.sort()
        let mean = spent.reduce(0, +) / count
        return "\(mean) mean, \(spent[count * 99 / 100]) of 99 %, \(spent[count - 1]) longest, \(chosen * 100 / count) % made room"
    }

    private mutating func decideAndForward(_ kind: ContainerClass) {
        now = now + .milliseconds(3)
        _ = pool.decide(Self.request(kind), makesRoom: false, now: now)
        guard let function = pool.forwardedBegan(kind, now: now) else { return }
        pool.forwardedEnded(function, ran: .milliseconds(1), now: now)
    }

    /// What a page of a listing takes, as `ContainerPool` asks for it, on the average, and all of it at once; what a check of the books
    /// takes, and what the call after one pays for having been copied from.
    mutating func listings() -> String {
        let ids = pool.instanceIDs.sorted { $0.number < $1.number }
        let containers = pages(of: 4, ids.count) { pool, page in _ = pool.inventory(of: ids[page], now: EngineInstant(nanoseconds: 1)) }
        let values = pages(of: 256, pool.affinitySlotCount) { pool, page in _ = pool.affinityRows(inSlots: page) }
        let pools = Self.microseconds { _ = pool.report(at: WallMoment(epochMilliseconds: 0, instant: now)) }
        let copy = pool
        let next = Self.microseconds { _ = request(1) }
        return "\(containers)  \(values)  \(pools)  \(Self.microseconds { _ = copy.brokenInvariant() }), then \(next)"
    }

    private func pages(of length: Int, _ count: Int, _ look: (PoolStateMachine, Range<Int>) -> Void) -> String {
        let whole = Self.microseconds { look(pool, 0..<count) }
        let paged = Self.microseconds {
            for first in stride(from: 0, to: count, by: length) { look(pool, first..<min(first + length, count)) }
        }
        return "\(paged * length / max(count, 1)) of \(whole)"
    }

    private static func microseconds(_ body: () -> Void) -> Int {
        let begun = EngineInstant.now()
        body()
        return Int((EngineInstant.now() - begun).wholeNanoseconds) / 1000
    }

    /// A pool that has seen a million functions, a tenth of them so often that they would be remembered.
    static func millionSeen() -> PoolStateMachine {
        var bench = Bench(containers: 1, usesMarket: true, hasRegions: true)
        for round in 0..<6 {
            for number in 0..<(round == 0 ? 100 : 10) {
                // Made and forgotten in parts, so that their names are not what is measured.
                for kind in strangers(10_000, from: number * 10_000) { bench.decideAndForward(kind) }
            }
        }
        return bench.pool
    }

    private mutating func perform(_ action: PoolAction, _ starting: inout ContainerID?) {
        let more: [PoolAction]
        switch action {
        case .killContainer(let id): more = pool.containerEnded(id, now: now)
        case .killInstance(let id): more = pool.instanceEnded(id, now: now)
        case .resume(_, .start(let plan)):
            starting = plan.container
            return
        default: return
        }
        for action in more { perform(action, &starting) }
    }
}
