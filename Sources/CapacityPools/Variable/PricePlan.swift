public import EngineCore

// When work that may wait should begin (POOL-13).
//
//     price │▔▔▔▔▔▔▔▔▔│          │▔▔▔▔▔▔▔
//           │ current └──────────┘ forecast
//           now       ▲ start                ▲ guard: the latest start that still meets the deadline
//
// The price is constant between the ends of periods, so the cost of a run is linear in its start between the moments at which the
// run's own begin or end meets one of them: only these need to be compared. It is exact, for what the forecast says. What the forecast
// says may be wrong; so the plan is made anew at every offer, the price of now is always the offered one, and the guard is a time, not a
// price: then the work begins whatever it costs.

/// When to begin, as far as is known now.
public struct PlannedStart: Hashable, Sendable {
    public enum Cause: String, Hashable, Sendable {
        /// It will not be cheaper within the time there is.
        case now
        /// A cheaper period is forecast.
        case window
        /// Nothing is known to be offered: the last moment is waited for, in case something will be.
        case `guard`
    }

    public let at: EngineInstant
    public let cause: Cause
    /// The expected mean price of the run for a GiB-hour; `nil` when nothing is known.
    public let price: Double?
}

/// A forecast of one sub-pool's price, to plan with.
public struct PricePlan: Hashable, Sendable {
    /// In order of time, without overlap.
    public let forecast: [PricePeriod]

    /// - Parameter forecast: empty periods and those that begin within an earlier one are passed over; only the first 96 count.
    public init(forecast: [PricePeriod]) {
        var kept: [PricePeriod] = []
        for period in forecast.sorted(by: { $0.from < $1.from })
        where period.from < period.to && kept.count < VariableOffer.periodsMax {
            if let last = kept.last, period.from < last.to { continue }
            kept.append(period)
        }
        self.forecast = kept
    }

    /// The cheapest time to begin a run, the earliest of several. O(periods²).
    ///
    /// - Parameters:
    ///   - latest: the last moment at which the run may begin: its deadline less its usual duration.
    ///   - duration: of the run, as is usual.
    ///   - current: the price of now; `nil` when nothing is offered.
    public func cheapestStart(now: EngineInstant, guard latest: EngineInstant, duration: Duration, current: Double?) -> PlannedStart
    {
        guard latest > now else { return PlannedStart(at: now, cause: .guard, price: current) }
        let segments = segments(now: now, current: current)
        // A run that outlasts what is known is reckoned to pay the dearest known price for the rest.
        let dearest = segments.lazy.map(\.price).max() ?? 0
        let duration = max(duration, .milliseconds(1))
        var best: (at: EngineInstant, price: Double)?
        let backwards = Duration.nanoseconds(-duration.wholeNanoseconds)
        let candidates = [now, latest] + segments.flatMap { [$0.from, $0.to, $0.from + backwards, $0.to + backwards] }
        for start in candidates.sorted() where start >= now && start <= latest {
            guard segments.contains(where: { $0.from <= start && start < $0.to }) else { continue }
            let price = meanPrice(segments, from: start, to: start + duration, otherwise: dearest)
            if price < (best?.price ?? .infinity) * (1 - 1e-9) { best = (start, price) }
        }
        guard let best else { return PlannedStart(at: latest, cause: .guard, price: nil) }
        return PlannedStart(at: best.at, cause: best.at == now ? .now : .window, price: best.price)
    }

    /// What is known of the time from `now` on. The price of now lasts until the forecast says something else.
    private func segments(now: EngineInstant, current: Double?) -> [PricePeriod] {
        let coming = forecast.filter { $0.from > now }
        guard let current else { return coming }
        let underWay = forecast.first { $0.from <= now && now < $0.to }
        let end = underWay?.to ?? coming.first?.from ?? now + .seconds(WallMoment.reach / 1000)
        return [PricePeriod(from: now, to: end, price: current)] + coming
    }

    private func meanPrice(_ segments: [PricePeriod], from start: EngineInstant, to end: EngineInstant, otherwise dearest: Double)
        -> Double
    {
        let length = (end - start).inSeconds
        var known = 0.0
        var paid = 0.0
        for segment in segments where segment.from < end && segment.to > start {
            let part = (min(segment.to, end) - max(segment.from, start)).inSeconds
            known += part
            paid += part * segment.price
        }
        return (paid + max(0, length - known) * dearest) / length
    }
}
