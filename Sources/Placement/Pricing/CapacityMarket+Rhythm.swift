/// What comes by the clock.
extension CapacityMarket {
    /// Seconds by which a container is to be ready before a call by the clock is due at the earliest.
    static let clockLead = 0.15
    /// Seconds that must lie between giving a container up and starting another.
    static let absenceMin = 0.5
    /// Functions remembered as just called by the clock. Reached: the older half is forgotten.
    static let dispensableMax = 256

    /// The next call, if it comes by the clock and may still come.
    func expected(_ entry: Entry, now: Double) -> ArrivalRhythm.Expectation? {
        guard let call = functions[entry].rhythm.expected, call.isOpen(at: now) else { return nil }
        return call
    }

    /// When a container for that call is to be started at the latest.
    func startByClock(_ entry: Entry, _ call: ArrivalRhythm.Expectation) -> Double {
        call.at - call.tolerance - functions[entry].costs.coldStart - Self.clockLead
    }

    /// Seconds lost by giving up a function's last container and starting another in time: the start, the memory until the call, and the
    /// call itself as far as it may come at another time, or others were not there in time before. `nil`: there is no time for that.
    func partingCost(_ entry: Entry, _ call: ArrivalRhythm.Expectation, now: Double) -> Double? {
        guard configuration.prewarms, startByClock(entry, call) > now + Self.absenceMin else { return nil }
        let coldStart = functions[entry].costs.coldStart
        return configuration.startPrice * coldStart
            + rent(entry) * (coldStart + Self.clockLead + call.tolerance)
            + (1 - call.probability * functions[entry].rhythm.kept) * value(entry)
    }

    /// A call is over, and its container is idle at once: the first to give way, if the next call is foreseen.
    mutating func noteDispensable(_ entry: Entry, now: Double) {
        guard let call = expected(entry, now: now), partingCost(entry, call, now: now) != nil else { return }
        if dispensable.count >= Self.dispensableMax { dispensable.removeFirst(Self.dispensableMax / 2) }
        dispensable.append(entry)
    }

    /// A call arrives for which a container was to be there.
    mutating func notePromise(_ entry: Entry) {
        guard functions[entry].isPromised else { return }
        functions[entry].isPromised = false
        functions[entry].rhythm.recordPromise(kept: functions[entry].containers > 0)
    }
}
