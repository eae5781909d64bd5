internal import Placement

/// Replays a trace in virtual time through one policy.
///
/// What it simulates: one node with so much memory for containers, in front of a region that is always warm and has no bound. A call
/// that finds nothing idle waits for a container that is starting if that takes less than a start or the way to the region. Processors
/// are not a limit; what starting takes of them is counted. Starts take exactly what the trace says.
public struct Replay: Sendable {
    /// What decides.
    public enum Policy: Hashable, Sendable {
        /// Hit-density pricing.
        case market(prewarms: Bool)
        /// Idle containers end after a time; under pressure the least recently used first.
        case fixedKeepAlive(seconds: Double)
        /// The least recently used first.
        case leastRecentlyUsed
        /// FaasCache: by frequency, cost and size.
        case greedyDual
        /// Shahrad et al.: by a histogram of idle times to each function.
        case hybridHistogram
        /// Everything to the region.
        case forwardAll
    }

    public let trace: Trace
    /// Mebibytes for containers.
    public var capacity: Double
    /// Seconds of the trace that warm the node and are not measured.
    public var warmUp: Double
    /// Whether calls can be forwarded.
    public var hasRegions: Bool
    public var seed: UInt64

    public init(_ trace: Trace, capacity: Double, warmUp: Double = 0, hasRegions: Bool = true, seed: UInt64 = 1) {
        self.trace = trace
        self.capacity = capacity
        self.warmUp = warmUp
        self.hasRegions = hasRegions
        self.seed = seed
    }

    public func run(_ policy: Policy) -> ReplayResult {
        switch policy {
        case .market(let prewarms):
            var configuration = CapacityMarket.Configuration(capacity: capacity)
            configuration.prewarms = prewarms
            configuration.hasRegions = hasRegions
            return run(MarketPolicy(trace, configuration: configuration, seed: seed))
        case .fixedKeepAlive(let seconds): return run(RankingPolicy(keepAlive: seconds))
        case .leastRecentlyUsed: return run(RankingPolicy(keepAlive: .infinity))
        case .greedyDual: return run(GreedyDualPolicy(trace, hasRegions: hasRegions))
        case .hybridHistogram: return run(HybridHistogramPolicy(functions: trace.costs.count))
        case .forwardAll: return run(ForwardAll())
        }
    }

    private func run(_ policy: some ReplayPolicy) -> ReplayResult {
        var policy = policy
        var pool = ReplayPool(trace, capacity: capacity, measuredFrom: warmUp)
        for call in 0..<trace.count {
            let now = trace.arrivals[call]
            advance(to: now, &pool, &policy)
            serve(call, &pool, &policy)
        }
        for function in pool.idle.indices {
            for container in pool.idle[function] { pool.accountIdle(container) }
        }
        return pool.tally.result(until: pool.now)
    }

    private func serve(_ call: Int, _ pool: inout ReplayPool, _ policy: inout some ReplayPolicy) {
        let function = Int(trace.functions[call])
        let duration = Double(trace.durations[call])
        let costs = trace.costs[function]
        policy.arrived(function, &pool)
        if !pool.idle[function].isEmpty, policy.usesIdle(function, &pool), let container = pool.takeIdle(function) {
            use(container, wait: 0, duration, &pool, &policy)
            return
        }
        let patience = hasRegions ? min(costs.coldStart, costs.roundTrip) : costs.coldStart
        if let soon = pool.starting[function].first, pool.containers[soon].since - pool.now <= patience, policy.usesIdle(function, &pool) {
            pool.starting[function].removeFirst()
            use(soon, wait: pool.containers[soon].since - pool.now, duration, &pool, &policy)
            return
        }
        switch policy.miss(function, &pool) {
        case .startHere:
            let container = pool.start(function, ahead: false)
            policy.startedForCall(container, &pool)
            policy.began(function, duration: duration, &pool)
            pool.run(container, for: duration, after: costs.coldStart)
            pool.tally.count(.cold(costs.coldStart), function: function, at: pool.now)
        case .forwardAndStart:
            policy.startedBehind(function, &pool)
            pool.startBehind(function)
            forward(function, duration, &pool, &policy)
        case .forward:
            forward(function, duration, &pool, &policy)
        case .refuse where hasRegions:
            forward(function, duration, &pool, &policy)
        case .refuse:
            pool.tally.count(.dropped, function: function, at: pool.now)
        }
    }

    private func use(_ container: Int, wait: Double, _ duration: Double, _ pool: inout ReplayPool, _ policy: inout some ReplayPolicy) {
        let function = pool.containers[container].function
        if pool.containers[container].isAhead {
            pool.containers[container].isAhead = false
            if pool.now >= warmUp { pool.tally.hitsAhead += 1 }
        }
        policy.taken(container, wasIdle: pool.containers[container].state == .idle, &pool)
        policy.began(function, duration: duration, &pool)
        pool.run(container, for: duration, after: wait)
        pool.tally.count(.hit(wait: wait), function: function, at: pool.now)
    }

    private func forward(_ function: Int, _ duration: Double, _ pool: inout ReplayPool, _ policy: inout some ReplayPolicy) {
        let roundTrip = trace.costs[function].roundTrip
        policy.began(function, duration: duration, &pool)
        pool.inFlight[function] += 1
        pool.events.add(.forwardedEnded(function), at: pool.now + roundTrip + duration)
        pool.tally.count(.forwarded(roundTrip), function: function, at: pool.now)
    }

    private func advance(to time: Double, _ pool: inout ReplayPool, _ policy: inout some ReplayPolicy) {
        while true {
            let tick = policy.nextTick
            let next = pool.events.nextAt ?? .infinity
            guard min(tick, next) <= time else { break }
            if tick < next {
                pool.now = max(pool.now, tick)
                policy.tick(&pool)
            } else if let (at, event) = pool.events.takeFirst() {
                pool.now = at
                handle(event, &pool, &policy)
            }
        }
        pool.now = time
    }

    private func handle(_ event: ReplayPool.Event, _ pool: inout ReplayPool, _ policy: inout some ReplayPolicy) {
        switch event {
        case .callEnded(let container):
            let function = pool.containers[container].function
            pool.busy[function] -= 1
            pool.inFlight[function] -= 1
            policy.ended(function, &pool)
            pool.becomeIdle(container)
            policy.becameIdle(container, wasBusy: true, &pool)
        case .ready(let container, let generation):
            guard pool.containers[container].generation == generation, pool.containers[container].state == .starting else { return }
            pool.starting[pool.containers[container].function].removeAll { $0 == container }
            pool.becomeIdle(container)
            policy.becameIdle(container, wasBusy: false, &pool)
        case .expires(let container, let generation):
            guard pool.containers[container].generation == generation, pool.containers[container].state == .idle else { return }
            pool.end(container)
        case .forwardedEnded(let function):
            pool.inFlight[function] -= 1
            policy.ended(function, &pool)
        case .policy(let function, let generation):
            policy.timer(function, generation, &pool)
        }
    }
}
