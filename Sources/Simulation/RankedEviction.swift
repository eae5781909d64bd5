internal import Placement

/// Ends idle containers by rank, the lowest first: a lazily cleaned heap, for policies that rank a container once.
struct RankedEviction {
    private var heap = EventQueue<(container: Int, generation: UInt32)>()

    mutating func add(_ container: Int, rank: Double, _ pool: inout ReplayPool) {
        pool.containers[container].rank = rank
        heap.add((container, pool.containers[container].generation), at: rank)
    }

    /// - Parameter onEnd: told the function and the rank of each container that was ended.
    /// - Returns: whether there is room for the function now.
    mutating func makeRoom(for function: Int, _ pool: inout ReplayPool, onEnd: (Int, Double) -> Void = { _, _ in }) -> Bool {
        while pool.memory(function) > pool.free {
            guard let (_, victim) = heap.takeFirst() else { return false }
            let container = pool.containers[victim.container]
            guard container.state == .idle, container.generation == victim.generation else { continue }
            pool.end(victim.container)
            onEnd(container.function, container.rank)
        }
        return true
    }
}

/// Every call runs here; the least recently used go first, and all after a time.
struct RankingPolicy: ReplayPolicy {
    /// Seconds; infinity for ever.
    let keepAlive: Double
    private var eviction = RankedEviction()

    init(keepAlive: Double) { self.keepAlive = keepAlive }

    mutating func arrived(_ function: Int, _ pool: inout ReplayPool) {}

    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice {
        eviction.makeRoom(for: function, &pool) ? .startHere : .refuse
    }

    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool) {
        eviction.add(container, rank: pool.now, &pool)
        guard keepAlive.isFinite else { return }
        pool.events.add(.expires(container, pool.containers[container].generation), at: pool.now + keepAlive)
    }
}

/// Greedy-dual with size and frequency: A. Fuerst, P. Sharma, "FaasCache", ASPLOS 2021. A function's frequency counts while it has a
/// container. With regions the cost is what a miss costs there, and nothing is turned away.
struct GreedyDualPolicy: ReplayPolicy {
    private var eviction = RankedEviction()
    private var clock = 0.0
    private var frequency: [Double]
    private let cost: [Double]

    init(_ trace: Trace, hasRegions: Bool) {
        frequency = Array(repeating: 0, count: trace.costs.count)
        cost = trace.costs.map { hasRegions ? min($0.coldStart, $0.roundTrip) : $0.coldStart }
    }

    mutating func arrived(_ function: Int, _ pool: inout ReplayPool) { frequency[function] += 1 }

    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice {
        var clock = clock
        var ended: [Int] = []
        let hasRoom = eviction.makeRoom(for: function, &pool) { victim, rank in
            clock = max(clock, rank)
            ended.append(victim)
        }
        self.clock = clock
        for victim in ended where pool.held[victim] == 0 { frequency[victim] = 0 }
        return hasRoom ? .startHere : .refuse
    }

    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool) {
        let function = pool.containers[container].function
        eviction.add(container, rank: clock + frequency[function] * cost[function] / pool.memory(function), &pool)
    }
}

/// Everything runs in the region.
struct ForwardAll: ReplayPolicy {
    mutating func arrived(_ function: Int, _ pool: inout ReplayPool) {}
    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice { .forward }
    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool) {}
}
