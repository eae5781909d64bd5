public import EngineCore

/// The two clocks of the server, so that tests can set them.
public struct LambdaClock: Sendable {
    /// For budgets and spans.
    public var now: @Sendable () -> EngineInstant
    /// Seconds since 1970, for signatures, links and `Date`.
    public var epochSeconds: @Sendable () -> Double

    public init(now: @escaping @Sendable () -> EngineInstant, epochSeconds: @escaping @Sendable () -> Double) {
        self.now = now
        self.epochSeconds = epochSeconds
    }

    /// `CLOCK_MONOTONIC` and `CLOCK_REALTIME` (clock_gettime(2)).
    public static let system = LambdaClock(now: { .now() }) { Double(CivilTime.epochMillisecondsNow()) / 1000 }
}
