/// `YYYYMMDD'T'HHMMSS'Z'`
struct SigningTime: CustomStringConvertible {
    let epochSeconds: Int64

    init(epochSeconds: Int64) { self.epochSeconds = epochSeconds }

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            guard bytes[range].allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return bytes[range].reduce(0) { $0 * 10 + Int64($1 - 0x30) }
        }
        guard let y = number(0..<4), let m = number(4..<6), let d = number(6..<8), let hour = number(9..<11),
            let minute = number(11..<13), let second = number(13..<15), (1...12).contains(m), (1...31).contains(d),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        // Days from the civil date (Hinnant, "chrono-compatible low-level date algorithms").
        let year = m <= 2 ? y - 1 : y
        let dayOfYear = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1
        let days = year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
        epochSeconds = days * 86400 + hour * 3600 + minute * 60 + second
    }

    var description: String {
        let z = epochSeconds / 86400 + 719_468
        let era = z / 146_097
        let day = z - era * 146_097
        let yearOfEra = (day - day / 1460 + day / 36524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let rest = epochSeconds % 86400
        func pad(_ n: Int64, _ width: Int) -> String {
            let digits = String(n)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return pad(year, 4) + pad(month, 2) + pad(dayOfYear - (153 * part + 2) / 5 + 1, 2) + "T" + pad(rest / 3600, 2)
            + pad(rest / 60 % 60, 2) + pad(rest % 60, 2) + "Z"
    }
}
