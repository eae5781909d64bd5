internal import EngineCore
internal import Foundation

/// Numbers as the tables show them, each with its unit.
enum Units {
    /// `12 s`, `4 min`, `3 h`, `2 d`: whole ones of the largest unit of which there are two.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<0: "0 s"
        case ..<10: "\(Int(seconds)) s"
        case ..<120: "\(Int(seconds)) s"
        case ..<7200: "\(Int(seconds / 60)) min"
        case ..<172_800: "\(Int(seconds / 3600)) h"
        default: "\(Int(min(seconds, 1e12) / 86_400)) d"
        }
    }

    static func size(_ bytes: Int?) -> String { bytes.map { ByteCount($0).description } ?? "-" }

    static func count(_ count: Int?) -> String { count.map { "\($0)" } ?? "-" }

    /// Whole percents; nothing of nothing is `-`.
    static func share(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "-" }
        // Only all is 100 %, and only nothing is 0 %.
        let percent = Int((Double(part) * 100 / Double(whole)).rounded())
        return "\(part == whole ? 100 : part == 0 ? 0 : min(max(percent, 1), 99))%"
    }

    static func number(_ value: Double, digits: Int = 1) -> String { String(format: "%.\(digits)f", value) }

    /// The time of day, UTC, with the date where it is not that of `now`.
    static func moment(_ epochSeconds: Double, now: Date = Date()) -> String {
        let style = Date.ISO8601FormatStyle(timeZone: .gmt)
        let date = Date(timeIntervalSince1970: epochSeconds)
        let (text, today) = (date.formatted(style), now.formatted(style))
        return text.prefix(10) == today.prefix(10) ? String(text.dropFirst(11)) : text.replacing("T", with: " ")
    }
}
