internal import Placement

typealias ReplayChoice = CapacityMarket.Choice

/// What decides in a replay: ``MarketPolicy``, and what it is compared with.
protocol ReplayPolicy {
    /// A call arrives. `pool` does not count it yet.
    mutating func arrived(_ function: Int, _ pool: inout ReplayPool)
    /// Whether the call uses a container that is idle, or ready soon.
    mutating func usesIdle(_ function: Int, _ pool: inout ReplayPool) -> Bool
    /// There is none: what becomes of the call. Room for a start has been made when it says so.
    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice
    /// A call has taken an idle container, or one that was starting.
    mutating func taken(_ container: Int, wasIdle: Bool, _ pool: inout ReplayPool)
    /// A call has been given a place: a container, or a region.
    mutating func began(_ function: Int, duration: Double, _ pool: inout ReplayPool)
    mutating func ended(_ function: Int, _ pool: inout ReplayPool)
    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool)
    /// A start in the call's way has begun.
    mutating func startedForCall(_ container: Int, _ pool: inout ReplayPool)
    /// A start behind a call has begun.
    mutating func startedBehind(_ function: Int, _ pool: inout ReplayPool)
    /// An event the policy has set for itself.
    mutating func timer(_ function: Int, _ generation: UInt32, _ pool: inout ReplayPool)
    /// When the policy wants to be asked ``tick(_:)``; infinity for never.
    var nextTick: Double { get }
    mutating func tick(_ pool: inout ReplayPool)
}

extension ReplayPolicy {
    mutating func usesIdle(_ function: Int, _ pool: inout ReplayPool) -> Bool { true }
    mutating func taken(_ container: Int, wasIdle: Bool, _ pool: inout ReplayPool) {}
    mutating func began(_ function: Int, duration: Double, _ pool: inout ReplayPool) {}
    mutating func ended(_ function: Int, _ pool: inout ReplayPool) {}
    mutating func startedForCall(_ container: Int, _ pool: inout ReplayPool) {}
    mutating func startedBehind(_ function: Int, _ pool: inout ReplayPool) {}
    mutating func timer(_ function: Int, _ generation: UInt32, _ pool: inout ReplayPool) {}
    var nextTick: Double { .infinity }
    mutating func tick(_ pool: inout ReplayPool) {}
}

/// The ``CapacityMarket``.
struct MarketPolicy: ReplayPolicy {
    var market: CapacityMarket
    private var measured = false

    init(_ trace: Trace, configuration: CapacityMarket.Configuration, seed: UInt64) {
        market = CapacityMarket(configuration: configuration, seed: seed)
        for costs in trace.costs {
            _ = market.add(costs)
        }
    }

    mutating func arrived(_ function: Int, _ pool: inout ReplayPool) { market.arrived(function, free: pool.free, now: pool.now) }

    mutating func usesIdle(_ function: Int, _ pool: inout ReplayPool) -> Bool { market.usesIdle(function) }

    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice {
        let decision = market.decideMiss(function, free: pool.free, now: pool.now)
        evict(decision.victims, &pool)
        return decision.choice
    }

    private mutating func evict(_ victims: [Int], _ pool: inout ReplayPool) {
        for victim in victims {
            pool.end(pool.idle[victim][0])
            market.idleContainerEnded(victim, now: pool.now)
        }
    }

    mutating func taken(_ container: Int, wasIdle: Bool, _ pool: inout ReplayPool) {
        let function = pool.containers[container].function
        if wasIdle { market.containerTaken(function) } else { market.containerIsBusy(function) }
    }

    mutating func startedForCall(_ container: Int, _ pool: inout ReplayPool) {
        let function = pool.containers[container].function
        market.containerStarts(function)
        market.containerIsBusy(function)
    }

    mutating func startedBehind(_ function: Int, _ pool: inout ReplayPool) { market.containerStarts(function) }

    mutating func began(_ function: Int, duration: Double, _ pool: inout ReplayPool) {
        market.measured(function, duration: duration)
        market.began(function)
    }

    mutating func ended(_ function: Int, _ pool: inout ReplayPool) { market.ended(function, now: pool.now) }

    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool) {
        market.containerIsIdle(pool.containers[container].function, wasBusy: wasBusy)
    }

    var nextTick: Double { market.nextPrewarming ?? .infinity }

    mutating func tick(_ pool: inout ReplayPool) {
        while let due = market.takeDuePrewarming(free: pool.free, now: pool.now) {
            evict(due.victims, &pool)
            market.containerStarts(due.entry)
            pool.startBehind(due.entry, ahead: true)
        }
    }
}
