internal import CapacityPools
internal import Placement
internal import EngineCore

/// The warming pool of a replayed node: the sizing that the node has, told what happens and asked for the target.
struct ReplayWarming {
    static let subPool = SubPoolID.general(runtime: ReplaySite.runtime, sizeClass: PoolConfiguration.sizeClassDefault)

    /// Seconds between two looks at the target, and between two while spares are missing: the node's own.
    static let calmTick = 1.0
    static let tick = 0.05

    let pool: Replay.WarmingPool
    private var sizer = WarmingSizer()
    private var target: Int
    /// Ready instances, at the last look, and their sum over time since the warm-up.
    private var ready = 0
    private var lookedAt = 0.0
    private(set) var readySeconds = 0.0

    init(_ pool: Replay.WarmingPool) {
        precondition(0 <= pool.floor && pool.floor <= pool.ceiling && pool.ceiling <= SubPoolSettings.ceilingMax, "0 ≤ floor ≤ ceiling")
        self.pool = pool
        target = pool.floor
        sizer.configure(Self.subPool, floor: pool.floor, ceiling: pool.ceiling)
    }

    func configure(_ machine: inout PoolStateMachine) -> [PoolAction] {
        do {
            let settings = SubPoolSettings(floor: pool.floor, ceiling: pool.ceiling)
            return try machine.configure(Self.subPool, settings, now: EngineInstant(nanoseconds: 0))
        } catch {
            preconditionFailure("a general sub-pool whose floor is not above its ceiling can be configured: \(error)")
        }
    }

    /// A call has had to start something that an instance of the warming pool could have been.
    mutating func took(_ plan: StartPlan, now: EngineInstant) {
        if plan.kind != .container { sizer.took(Self.subPool, now: now) }
    }

    mutating func booted(in seconds: Double) { sizer.booted(Self.subPool, in: .seconds(seconds)) }

    /// - Returns: seconds until the next look.
    mutating func look(at machine: PoolStateMachine, now: Double, measuredFrom: Double) -> Double {
        if now > measuredFrom { readySeconds += Double(ready) * (now - max(lookedAt, measuredFrom)) }
        lookedAt = now
        let counts = machine.counts
        ready = counts.instancesReady
        return ready + counts.instancesBooting < target ? Self.tick : Self.calmTick
    }

    /// Sets the machine's target as the sizing wishes. The trace begins at midnight.
    mutating func resize(_ machine: inout PoolStateMachine, now: EngineInstant) -> [PoolAction] {
        var actions: [PoolAction] = []
        for (subPool, target) in sizer.targets(at: WallMoment(epochMilliseconds: now.nanoseconds / 1_000_000, instant: now)) {
            self.target = target
            actions += machine.setTarget(subPool, target, now: now)
        }
        return actions
    }
}
