#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A day of the Gregorian calendar.
///
/// Source of the conversions: Howard Hinnant, "chrono-compatible low-level date algorithms".
public struct CivilDate: Hashable, Sendable {
    public let year, month, day: Int64

    public init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    public init(daysSince1970 days: Int64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        month = part < 10 ? part + 3 : part - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        day = dayOfYear - (153 * part + 2) / 5 + 1
    }

    public var daysSince1970: Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }

    /// `2026-01-02`, or with another text between its parts.
    public func text(separator: String = "-") -> String {
        [CivilTime.padded(year, 4), CivilTime.padded(month), CivilTime.padded(day)].joined(separator: separator)
    }

    /// The number of days of a month, 1 to 12.
    public static func days(of month: Int64, in year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// A day and a time of day in UTC, as they stand in logs, names and answers.
public struct CivilTime: Hashable, Sendable, CustomStringConvertible {
    public let date: CivilDate
    public let hour, minute, second, millisecond: Int64

    /// - Parameter epochMilliseconds: milliseconds since 1970, at least 0.
    public init(epochMilliseconds: Int64) {
        let epochSeconds = epochMilliseconds / 1000
        date = CivilDate(daysSince1970: epochSeconds / 86400)
        let rest = epochSeconds % 86400
        (hour, minute, second, millisecond) = (rest / 3600, rest / 60 % 60, rest % 60, epochMilliseconds % 1000)
    }

    /// - Parameter epochSeconds: seconds since 1970, at least 0.
    public init(epochSeconds: Int64) { self.init(epochMilliseconds: epochSeconds * 1000) }

    /// The wall clock (clock_gettime(2), `CLOCK_REALTIME`), in milliseconds since 1970.
    public static func epochMillisecondsNow() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// `03:04:05`, or with another text between its parts.
    public func timeOfDay(separator: String = ":") -> String {
        [hour, minute, second].map { Self.padded($0) }.joined(separator: separator)
    }

    /// `2026-01-02T03:04:05.678Z`
    public var description: String { "\(date.text())T\(timeOfDay()).\(Self.padded(millisecond, 3))Z" }

    /// A number with leading zeros.
    public static func padded(_ number: Int64, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
