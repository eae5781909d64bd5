import EngineCore

/// Whether a region may be chosen: the circuit to it, and whether it is full.
///
/// ```
///               failed                      T has passed, and a call is sent
///  ┌───────────┐ ─────► ┌────────────────┐ ─────────────────► ┌─────────────────────┐
///  │ closed    │        │ open until T   │                    │ half open: one call │
///  └───────────┘        └────────────────┘ ◄───────────────── │ shows, until U      │
///        ▲   succeeded (a probe too) │       failed: longer;  └─────────────────────┘
///        └───────────────────────────┴────── it showed nothing: T is now ──┘ succeeded: closed
/// ```
///
/// `open`: it is passed over. When T has passed it may be chosen again, by one call: the others are refused until that has shown
/// something, or until U, if it stays out. Probes of its health are sent all the time, and their success closes the circuit.
///
/// A refusal for lack of capacity is no failure: the region is there and answers. It is passed over as saturated for a short time,
/// doubled at every further refusal; one accepted call ends that.
///
/// A value without clock or randomness; the caller brings both.
struct RegionHealth {
    enum Circuit: Equatable {
        case closed
        case open(until: EngineInstant)
        case halfOpen(until: EngineInstant)
    }

    private(set) var circuit = Circuit.closed
    private(set) var consecutiveFailures = 0
    private(set) var consecutiveRefusals = 0
    private var saturatedUntil: EngineInstant?

    /// Whether a call may be sent. O(1).
    func isReachable(now: EngineInstant) -> Bool {
        switch circuit {
        case .closed: true
        case .open(let until), .halfOpen(let until): until <= now
        }
    }

    /// It has failed, and is not to be tried yet. O(1).
    func isOpen(now: EngineInstant) -> Bool {
        if case .open(let until) = circuit { now < until } else { false }
    }

    /// It has refused a call for lack of capacity a short time ago. O(1).
    func isSaturated(now: EngineInstant) -> Bool { saturatedUntil.map { now < $0 } ?? false }

    /// A call is about to be sent.
    /// - Parameter showMax: how long a call at a half-open circuit keeps the others away.
    /// - Returns: whether it may be; `false` while another one shows whether the region is back.
    mutating func begin(now: EngineInstant, showMax: Duration) -> Bool {
        switch circuit {
        case .closed: return true
        case .halfOpen(let until) where now < until: return false
        // Whoever sends all the same, before T, knows more than this.
        case .open(let until) where now < until: return true
        case .open, .halfOpen:
            circuit = .halfOpen(until: now + showMax)
            return true
        }
    }

    /// A call has ended without showing whether the region is there: its client has gone, or its time was up.
    mutating func endedUnclear(now: EngineInstant) {
        if case .halfOpen = circuit { circuit = .open(until: now) }
    }

    /// It has answered.
    mutating func succeeded() {
        consecutiveFailures = 0
        circuit = .closed
    }

    /// It has taken a call.
    mutating func accepted() {
        succeeded()
        consecutiveRefusals = 0
        saturatedUntil = nil
    }

    /// - Parameter jitter: 0 to 1; the time out is varied by a fifth to either side, so that nodes do not come back as one.
    mutating func failed(now: EngineInstant, jitter: Double, backoff: ClosedRange<Duration>) {
        circuit = .open(until: now + Self.pause(consecutiveFailures, jitter, backoff))
        consecutiveFailures += 1
    }

    /// It has refused a call for lack of capacity.
    mutating func refused(now: EngineInstant, jitter: Double, backoff: ClosedRange<Duration>) {
        succeeded()
        saturatedUntil = now + Self.pause(consecutiveRefusals, jitter, backoff)
        consecutiveRefusals += 1
    }

    private static func pause(_ times: Int, _ jitter: Double, _ backoff: ClosedRange<Duration>) -> Duration {
        min(backoff.lowerBound * (1 << min(times, 20)), backoff.upperBound) * (0.8 + 0.4 * jitter)
    }
}
