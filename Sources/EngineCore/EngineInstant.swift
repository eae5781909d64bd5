#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A point on the monotonic clock, in nanoseconds since an arbitrary origin.
///
/// Decisions and state machines take `now` as an argument, so that tests and the simulator run them in virtual time; only
/// shells read the clock. A plain integer keeps the warm path free of allocation and makes instants storable.
public struct EngineInstant: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// `CLOCK_MONOTONIC` (clock_gettime(2)).
    public static func now() -> EngineInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return EngineInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    public static func < (left: EngineInstant, right: EngineInstant) -> Bool { left.nanoseconds < right.nanoseconds }

    public static func + (left: EngineInstant, right: Duration) -> EngineInstant {
        EngineInstant(nanoseconds: left.nanoseconds + right.wholeNanoseconds)
    }

    /// How long after `earlier` this instant lies; negative if it lies before.
    public static func - (left: EngineInstant, earlier: EngineInstant) -> Duration {
        .nanoseconds(left.nanoseconds - earlier.nanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds; saturates at about ±292 years.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooMuch) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || isTooMuch ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in milliseconds, with fraction.
    public var inMilliseconds: Double { Double(wholeNanoseconds) / 1_000_000 }

    /// The duration in seconds, with fraction.
    public var inSeconds: Double { Double(wholeNanoseconds) / 1_000_000_000 }
}
