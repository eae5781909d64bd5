import EngineCore

/// A time to the second, as requests are signed with it: `YYYYMMDD'T'HHMMSS'Z'`.
struct SigningTime: CustomStringConvertible {
    /// Seconds since 1970.
    let epochSeconds: Int64

    init(epochSeconds: Int64) { self.epochSeconds = epochSeconds }

    /// - Returns: `nil` unless `text` has the form and names a time that exists (second 60 is taken for a leap second).
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = Self.number(bytes[0..<4]), let month = Self.number(bytes[4..<6]), let day = Self.number(bytes[6..<8]),
            let hour = Self.number(bytes[9..<11]), let minute = Self.number(bytes[11..<13]), let second = Self.number(bytes[13..<15])
        else { return nil }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// The value of a `Date` header: `Fri, 02 Jan 2026 03:04:05 GMT` (RFC 9110, section 5.6.7, IMF-fixdate).
    init?(httpDate text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 29, bytes[3] == UInt8(ascii: ","), bytes[26...].elementsEqual("GMT".utf8),
            let index = HTTPDate.months.firstIndex(where: { $0.utf8.elementsEqual(bytes[8..<11]) }),
            let day = Self.number(bytes[5..<7]), let year = Self.number(bytes[12..<16]), let hour = Self.number(bytes[17..<19]),
            let minute = Self.number(bytes[20..<22]), let second = Self.number(bytes[23..<25])
        else { return nil }
        self.init(year: year, month: Int64(index) + 1, day: day, hour: hour, minute: minute, second: second)
    }

    private init?(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
        let date = CivilDate(year: year, month: month, day: day)
        guard (1...12).contains(month), (1...CivilDate.days(of: month, in: year)).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        epochSeconds = date.daysSince1970 * 86400 + hour * 3600 + minute * 60 + second
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    var description: String {
        let parts = CivilTime(epochSeconds: epochSeconds)
        return "\(parts.date.text(separator: ""))T\(parts.timeOfDay(separator: ""))Z"
    }
}
