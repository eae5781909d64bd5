public import EngineCore
public import Placement

// Where a call is to run, asked of the same policy that keeps containers: for nodes with regions, and for replays.
extension PoolStateMachine {
    /// Decides where a call is to run, and makes room for a start it decides on. To be asked once to a call; whoever goes on with
    /// ``lease(_:now:)`` says there that it is announced.
    ///
    /// - Returns: the choice, `nil` for a container that is idle, or ready sooner than any other way; and what is to be done now.
    /// - Complexity: O(1) amortised, plus what the policy looks at when room is short.
    public mutating func decide(
        _ request: CapacityRequest, now: EngineInstant
    ) -> (choice: CapacityMarket.Choice?, actions: [PoolAction]) {
        var actions: [PoolAction] = []
        let kind = intern(request.kind)
        let function = classes[kind].function
        makeCurrent(kind)
        noteCosts(function, request.kind, coldStart: request.coldStart?.inSeconds, roundTrip: request.roundTrip?.inSeconds)
        // What is about to come free is free: it has been ended for somebody's sake, and comes before any start.
        let free = freeCommon + Self.mebibytes(areas[Self.common].ending)
        let time = Self.seconds(now)
        retention.callArrived(function, free: free, now: time)
        if hasIdle(kind) && !waiters.hasAny(of: kind) || startingAhead(kind, patience: request.patience, now: now) != nil {
            return (retention.usesIdle(function) ? nil : .forward, actions)
        }
        let decision = retention.decideMiss(function, free: free, now: time)
        for victim in decision.victims { evict(victim, for: kind, now: now, actions: &actions) }
        return (decision.choice, actions)
    }

    /// Seconds since the origin of the clock at which a container is to be started ahead of its call; `nil`: none is planned. O(1).
    public var nextPrewarming: Double? { retention.nextPrewarming }

    /// Mebibyte-seconds that everything here has held so far, from the ledger. O(1).
    public func memoryTime(now: EngineInstant) -> Double { Double(ledger.total(now: now).byteNanoseconds) / 1_048_576 / 1e9 }
}
