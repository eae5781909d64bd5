internal import EngineCore

/// A time of day at which memory is offered at a price: `22:00-06:00=0.5@4096MiB`, UTC.
struct DailyWindow: Hashable, Sendable {
    static let secondsOfDay: Int64 = 86_400

    /// Seconds since midnight.
    let from: Int64
    /// Seconds; a window may go on into the next day.
    let length: Int64
    /// For a GiB-hour.
    let price: Double
    let memory: ByteCount

    /// - Throws: `settingsInvalid` with the text and what is expected.
    init(_ text: String) throws(VariableCapacityError) {
        guard let parts = text.wholeMatch(of: /(\d\d:\d\d)-(\d\d:\d\d)=([0-9.]{1,20})@([0-9]{1,9})(MiB|GiB)/) else {
            throw Self.refusal(text, "it must look like 22:00-06:00=0.5@4096MiB")
        }
        guard let from = Self.seconds(parts.1), let to = Self.seconds(parts.2), from < Self.secondsOfDay, from != to else {
            throw Self.refusal(text, "its times must be different ones between 00:00 and 24:00; a whole day is 00:00-24:00")
        }
        guard let price = Double(parts.3), VariableOffer.isPrice(price) else {
            throw Self.refusal(text, "its price must be a number between 0 and 1000000000")
        }
        guard let mebibytes = Int(parts.4), mebibytes > 0 else { throw Self.refusal(text, "its memory must be more than 0") }
        self.from = from
        length = to > from ? to - from : to + Self.secondsOfDay - from
        self.price = price
        memory = .mebibytes(parts.5 == "GiB" ? mebibytes << 10 : mebibytes)
    }

    func overlaps(_ other: DailyWindow) -> Bool { isWithin(other.from) || other.isWithin(from) }

    /// Whether the window is open at a time of day.
    private func isWithin(_ seconds: Int64) -> Bool {
        (seconds - from + Self.secondsOfDay) % Self.secondsOfDay < length
    }

    private static func seconds(_ text: Substring) -> Int64? {
        guard let hours = Int64(text.prefix(2)), let minutes = Int64(text.suffix(2)), minutes < 60 else { return nil }
        let seconds = hours * 3600 + minutes * 60
        return seconds <= secondsOfDay ? seconds : nil
    }

    private static func refusal(_ text: String, _ reason: String) -> VariableCapacityError {
        VariableCapacityError(.settingsInvalid, "The window '\(text.prefix(80))' of variable capacity cannot be used: \(reason).")
    }
}
