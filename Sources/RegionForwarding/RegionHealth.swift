import EngineCore

/// Whether a region may be chosen: the circuit to it, and whether it is full.
///
/// ```
///               failed                      T has passed, and a call is sent
///  ┌───────────┐ ─────► ┌────────────────┐ ─────────────────► ┌──────────────────────────┐
///  │ closed    │        │ open until T   │                    │ half open: trial N shows,│
///  └───────────┘        └────────────────┘ ◄───────────────── │ until U                  │
///        ▲   succeeded (a probe too) │       failed: longer;  └──────────────────────────┘
///        └───────────────────────────┴────── N showed nothing: T is now ──┘ succeeded: closed
/// ```
///
/// | what comes | closed | open until T | half open, trial N until U |
/// |---|---|---|---|
/// | a call is to be sent | sent | sent before T; then a trial, half open | refused before U; then the next trial |
/// | trial N ends and has shown nothing | – | – | open until now |
/// | another trial or call does | – | – | – |
/// | it answers, to a call or a probe | – | closed | closed |
/// | it fails, for a call or a probe | open | open for longer | open for longer |
///
/// `open`: it is passed over. When T has passed it may be chosen again, by one call, the trial: the others are refused until it has shown
/// something, or until U, if it stays out. A trial has a number, so that the end of an older call, or of a trial that stayed out for too
/// long, does not let in another beside the one under way. Probes of its health are sent all the time; their success closes the circuit.
///
/// A refusal for lack of capacity is no failure: the region is there and answers. It is passed over as saturated for a short time,
/// doubled at every further refusal; one accepted call ends that.
///
/// A value without clock or randomness; the caller brings both.
struct RegionHealth {
    enum Circuit: Equatable {
        case closed
        case open(until: EngineInstant)
        case halfOpen(trial: UInt64, until: EngineInstant)
    }

    /// What a call is sent as.
    enum Passage: Equatable {
        case free
        /// Its end is to be told with ``ended(trial:now:)``.
        case trial(UInt64)
        /// It is not to be sent: another one shows whether the region is back.
        case refused
    }

    private(set) var circuit = Circuit.closed
    private(set) var consecutiveFailures = 0
    private(set) var consecutiveRefusals = 0
    private var saturatedUntil: EngineInstant?
    private var trials: UInt64 = 0

    /// Whether a call may be sent. O(1).
    func isReachable(now: EngineInstant) -> Bool {
        switch circuit {
        case .closed: true
        case .open(let until), .halfOpen(_, let until): until <= now
        }
    }

    /// It has failed, and is not to be tried yet. O(1).
    func isOpen(now: EngineInstant) -> Bool {
        if case .open(let until) = circuit { now < until } else { false }
    }

    /// It has refused a call for lack of capacity a short time ago. O(1).
    func isSaturated(now: EngineInstant) -> Bool { saturatedUntil.map { now < $0 } ?? false }

    /// A call is about to be sent.
    /// - Parameter showMax: how long a trial keeps the others away.
    mutating func begin(now: EngineInstant, showMax: Duration) -> Passage {
        switch circuit {
        case .closed: return .free
        case .halfOpen(_, let until) where now < until: return .refused
        // Whoever sends all the same, before T, knows more than this.
        case .open(let until) where now < until: return .free
        case .open, .halfOpen:
            trials += 1
            circuit = .halfOpen(trial: trials, until: now + showMax)
            return .trial(trials)
        }
    }

    /// A trial has ended. Where it has shown nothing, because its client has gone or its time was up, the next call is one.
    mutating func ended(trial: UInt64, now: EngineInstant) {
        if case .halfOpen(trial, _) = circuit { circuit = .open(until: now) }
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
