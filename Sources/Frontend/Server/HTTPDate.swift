import EngineCore
import Synchronization

/// The value of the `Date` header, made once a second (RFC 9110, section 6.6.1: a server with a clock sends it).
final class HTTPDate: Sendable {
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

    private let newest = Mutex<(second: Int64, text: String)>((-1, ""))

    /// - Parameter epochSeconds: seconds since 1970, at least 0.
    func text(at epochSeconds: Int64) -> String {
        newest.withLock { newest in
            if newest.second != epochSeconds { newest = (epochSeconds, Self.format(epochSeconds)) }
            return newest.text
        }
    }

    /// IMF-fixdate, such as `Fri, 02 Jan 2026 03:04:05 GMT`.
    static func format(_ epochSeconds: Int64) -> String {
        let time = CivilTime(epochSeconds: epochSeconds)
        let weekday = weekdays[Int(epochSeconds / 86400 % 7)]
        let (day, year) = (CivilTime.padded(time.date.day), CivilTime.padded(time.date.year, 4))
        return "\(weekday), \(day) \(months[Int(time.date.month) - 1]) \(year) \(time.timeOfDay()) GMT"
    }
}
