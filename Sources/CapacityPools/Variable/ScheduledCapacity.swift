internal import EngineCore

/// Variable capacity by the clock: each day the same windows, each with its price and memory, and nothing between them.
///
/// It stands for a party that lends at fixed hours, such as a cluster that is idle at night. Its forecast is the schedule itself. Times are
/// UTC, so there is no hour that comes twice or never. When a window opens or closes the offer changes; what then exceeds it is
/// reclaimed as from any other party.
public struct ScheduledCapacity: VariableCapacityDriver {
    /// How far ahead it says what it will offer, in seconds.
    private static let horizon: Int64 = 2 * DailyWindow.secondsOfDay
    /// A wall clock that is set anew is noticed after this, at the latest.
    private static let lookAgain = Duration.seconds(60)
    private static let windowsMax = 24

    public let name: String
    private let windows: [DailyWindow]

    /// - Parameters:
    ///   - name: of the sub-pool: letters, digits, `-`, `_` and `.`, at most 64.
    ///   - windows: 1 to 24 of the form `22:00-06:00=0.5@4096MiB`: times in UTC, price for a GiB-hour, memory in MiB or GiB. None may
    ///     overlap another.
    /// - Throws: `settingsInvalid`.
    public init(name: String, windows: [String]) throws(VariableCapacityError) {
        guard VariableOffer.isName(name) else {
            throw VariableCapacityError(
                .settingsInvalid,
                "'\(name.prefix(80))' cannot name variable capacity. Use up to 64 letters, digits, '-', '_' and '.'.")
        }
        guard (1...Self.windowsMax).contains(windows.count) else {
            throw VariableCapacityError(.settingsInvalid, "variable/\(name) needs 1 to \(Self.windowsMax) windows.")
        }
        var parsed: [DailyWindow] = []
        for text in windows {
            let window = try DailyWindow(text)
            guard !parsed.contains(where: { $0.overlaps(window) }) else {
                throw VariableCapacityError(
                    .settingsInvalid,
                    "The window '\(text)' of variable/\(name) overlaps another. Let each begin where one ends, or later.")
            }
            parsed.append(window)
        }
        self.name = name
        self.windows = parsed
    }

    public var summary: String { "variable/\(name): a schedule of \(windows.count) daily windows (UTC), set by the operator" }

    public func run(_ deliver: @Sendable (VariableOffer) -> Void) async {
        while !Task.isCancelled {
            let moment = WallMoment.now()
            deliver(offer(at: moment))
            let untilChange = Duration.milliseconds(nextChange(after: moment.epochMilliseconds) - moment.epochMilliseconds)
            // A cancelled pause ends the loop.
            try? await Task.sleep(for: min(untilChange, Self.lookAgain))
        }
    }

    /// What the schedule says for a moment. While no window is open it names the price of the next, and no memory.
    func offer(at moment: WallMoment) -> VariableOffer {
        let occurrences = occurrences(around: moment.epochMilliseconds)
        let periods = occurrences.map { occurrence in
            PricePeriod(
                from: moment.instant(atEpochMilliseconds: occurrence.from), to: moment.instant(atEpochMilliseconds: occurrence.to),
                price: occurrence.window.price)
        }
        let open = occurrences.first { $0.from <= moment.epochMilliseconds }?.window
        return VariableOffer(
            name: name, price: open?.price ?? occurrences.first?.window.price ?? 0, memory: open?.memory ?? .zero, forecast: periods
        )
    }

    /// The next time at which a window opens or closes, in milliseconds since 1970.
    func nextChange(after epochMilliseconds: Int64) -> Int64 {
        occurrences(around: epochMilliseconds).flatMap { [$0.from, $0.to] }.filter { $0 > epochMilliseconds }.min()
            ?? epochMilliseconds + DailyWindow.secondsOfDay * 1000
    }

    /// The windows that are open or will be within the horizon, in order of time, with begin and end in milliseconds since 1970.
    private func occurrences(around epochMilliseconds: Int64) -> [(from: Int64, to: Int64, window: DailyWindow)] {
        let day = DailyWindow.secondsOfDay * 1000
        let midnight = epochMilliseconds - epochMilliseconds % day
        let days = -1...(Self.horizon * 1000 / day)
        let all = days.flatMap { number in
            windows.map { window in
                let from = midnight + number * day + window.from * 1000
                return (from: from, to: from + window.length * 1000, window: window)
            }
        }
        return all.filter { $0.to > epochMilliseconds && $0.from < epochMilliseconds + Self.horizon * 1000 }.sorted {
            $0.from < $1.from
        }
    }
}
