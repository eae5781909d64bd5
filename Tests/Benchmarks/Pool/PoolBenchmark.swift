import CapacityPools
import EngineCore
import Placement

/// What one operation of the pool's state machine costs: a lease and its release, warm and cold, beside more and more idle containers.
///
/// Wall-clock time of one thread on whatever this runs on; the figures of one run are compared with each other, for a call must cost the
/// same whatever is idle beside it. Run it in release: `swift run -c release wayside-pool-bench`.
@main struct PoolBenchmark {
    static let accounts = 200
    static let functions = 2000

    static func main() {
        let rows = [(100, "lru"), (1000, "lru"), (10_000, "lru"), (10_000, "market")]
        print("idle    retention  warm lease+release  by request  full node: evict+start+release   ns per operation")
        for (idle, name) in rows {
            var bench = Bench(containers: idle, usesMarket: name == "market")
            let warm = bench.warm(500_000)
            let full = bench.request(500_000)
            let cold = bench.evict(idle, 50_000)
            print("\(pad(idle, 6))  \(name == "lru" ? "lru   " : name)     \(pad(warm, 12))  \(pad(full, 16))  \(pad(cold, 20))")
        }
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
    init(containers: Int, usesMarket: Bool) {
        let memory = ByteCount.mebibytes(128)
        let configuration = PoolConfiguration(
            memory: ByteCount(containers * memory.bytes), containersMax: containers + 8, startsMax: 64, keepAlive: .seconds(36_000))
        pool = PoolStateMachine(configuration: configuration, retention: usesMarket ? Self.market(configuration) : nil)
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
            guard case .start(let plan) = pool.lease(CapacityRequest(kinds[number % kinds.count]), now: now).0 else { continue }
            _ = pool.containerStarted(plan.container, now: now)
            held.append(plan.container)
        }
        for id in held { _ = pool.release(id, keep: true, now: now) }
        precondition(pool.counts.idle == containers, "\(pool.counts.idle) of \(containers) are idle")
    }

    private static func market(_ configuration: PoolConfiguration) -> any RetentionPolicy {
        var market = CapacityMarket.Configuration(capacity: Double(configuration.memory.bytes >> 20))
        market.hasRegions = false
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
