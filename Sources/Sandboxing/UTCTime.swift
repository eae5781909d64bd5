#if canImport(Glibc)
internal import Glibc
#endif

/// A moment of the calendar in UTC, as it stands in logs and names.
struct UTCTime: CustomStringConvertible {
    private let parts: tm
    private let milliseconds: Int

    init(epochMilliseconds: Int64) {
        var seconds = time_t(epochMilliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        self.parts = parts
        milliseconds = Int(epochMilliseconds % 1000)
    }

    /// The wall clock (clock_gettime(2), `CLOCK_REALTIME`), in milliseconds since 1970.
    static func epochMillisecondsNow() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// `2026-01-02T03:04:05.678Z`
    var description: String {
        let day = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        let fraction = String(milliseconds + 1000).dropFirst()
        return "\(day)T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec)).\(fraction)Z"
    }

    /// `2026/01/02`
    var datePath: String { "\(parts.tm_year + 1900)/\(padded(parts.tm_mon + 1))/\(padded(parts.tm_mday))" }

    private func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
