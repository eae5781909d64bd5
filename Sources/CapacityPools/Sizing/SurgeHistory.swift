/// The most spares that calls wanted within one lead, for each five minutes of the last days.
///
/// Days and times are UTC, by the wall clock. A surge is noted a minute early and late too, for what is meant for nine o'clock does not
/// come on the second.
struct SurgeHistory: Hashable, Sendable {
    struct Day: Hashable, Sendable {
        /// Since 1970.
        let number: Int64
        var peaks: [UInt16]
    }

    static let binSeconds: Int64 = 300
    static let binsOfDay = 288
    static let daysMax = 7
    private static let blur: Int64 = 60
    private static let secondsOfDay: Int64 = 86_400

    /// Today and the days before, in any order.
    var days: [Day] = []

    mutating func note(_ need: Int, at epochSeconds: Int64) {
        // What lies beyond tomorrow was noted by a clock that has been put back since.
        let today = Self.day(of: epochSeconds)
        days.removeAll { $0.number > today + 1 || $0.number < today - Int64(Self.daysMax) }
        var noted: Int64?
        for moment in [epochSeconds - Self.blur, epochSeconds, epochSeconds + Self.blur] where Self.bin(of: moment) != noted {
            noted = Self.bin(of: moment)
            raise(Self.day(of: moment), Self.place(of: moment), UInt16(clamping: need))
        }
    }

    /// What two of the last seven days needed at least, at the most demanding time between two moments. O(days) to five minutes.
    func need(from start: Int64, to end: Int64) -> Int {
        guard days.count >= 2, end >= start else { return 0 }
        return (Self.bin(of: start)...Self.bin(of: end)).reduce(0) { most, bin in
            let day = Self.day(of: bin * Self.binSeconds)
            let place = Self.place(of: bin * Self.binSeconds)
            var first: UInt16 = 0
            var second: UInt16 = 0
            for past in days where past.number < day && past.number >= day - Int64(Self.daysMax) {
                let peak = past.peaks[place]
                second = max(second, min(first, peak))
                first = max(first, peak)
            }
            return max(most, Int(second))
        }
    }

    private mutating func raise(_ day: Int64, _ place: Int, _ need: UInt16) {
        if let index = days.firstIndex(where: { $0.number == day }) {
            days[index].peaks[place] = max(days[index].peaks[place], need)
        } else {
            var peaks = [UInt16](repeating: 0, count: Self.binsOfDay)
            peaks[place] = need
            days.append(Day(number: day, peaks: peaks))
        }
    }

    private static func bin(of epochSeconds: Int64) -> Int64 { floorDivide(epochSeconds, binSeconds) }
    private static func day(of epochSeconds: Int64) -> Int64 { floorDivide(epochSeconds, secondsOfDay) }
    private static func place(of epochSeconds: Int64) -> Int {
        Int(bin(of: epochSeconds) - day(of: epochSeconds) * Int64(binsOfDay))
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
