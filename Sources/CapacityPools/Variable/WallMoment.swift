public import EngineCore

/// The same moment on the wall clock and on the monotonic one. Shells take it; what is planned by the time of day becomes instants by it.
public struct WallMoment: Hashable, Sendable {
    /// Milliseconds since 1970, UTC.
    public let epochMilliseconds: Int64
    public let instant: EngineInstant

    public init(epochMilliseconds: Int64, instant: EngineInstant) {
        self.epochMilliseconds = epochMilliseconds
        self.instant = instant
    }

    public static func now() -> WallMoment {
        WallMoment(epochMilliseconds: CivilTime.epochMillisecondsNow(), instant: .now())
    }

    /// The farthest that plans reach, forwards and backwards, in milliseconds.
    static let reach: Int64 = 7 * 86_400_000

    /// The instant of another time, or of the end of ``reach``.
    func instant(atEpochMilliseconds other: Int64) -> EngineInstant {
        let (distance, overflows) = other.subtractingReportingOverflow(epochMilliseconds)
        let farthest = other < epochMilliseconds ? -Self.reach : Self.reach
        return instant + .milliseconds(overflows || abs(distance) > Self.reach ? farthest : distance)
    }
}
