import EngineCore

/// Whether a region may be chosen.
///
/// ```
///               failed                     failed: longer
///  ┌───────────┐ ─────► ┌─────────────────┐ ───┐
///  │ reachable │        │ out until T     │ ◄──┘
///  └───────────┘ ◄───── └─────────────────┘
///               succeeded (a call or a probe), or T has passed: then the next call or probe shows
/// ```
///
/// A value without clock or randomness; the caller brings both.
struct RegionHealth {
    private(set) var consecutiveFailures = 0
    private var outUntil: EngineInstant?

    /// O(1).
    func isReachable(now: EngineInstant) -> Bool {
        guard let outUntil else { return true }
        return outUntil <= now
    }

    mutating func succeeded() {
        consecutiveFailures = 0
        outUntil = nil
    }

    /// - Parameter jitter: 0 to 1; the time out is varied by a fifth to either side, so that nodes do not come back as one.
    mutating func failed(now: EngineInstant, jitter: Double, backoff: ClosedRange<Duration>) {
        let doublings = min(consecutiveFailures, 20)
        consecutiveFailures += 1
        let time = min(backoff.lowerBound * (1 << doublings), backoff.upperBound)
        outUntil = now + time * (0.8 + 0.4 * jitter)
    }
}
