internal import Placement

/// A histogram of idle minutes to each function decides when its container goes and comes back: M. Shahrad et al., "Serverless in the
/// Wild", ATC 2020.
///
/// The head of the histogram (5th percentile, less a tenth) is the time without a container, the tail (99th, plus a tenth) the time with
/// one. Histograms that say little keep for four hours; functions that mostly come later than four hours are expected at their mean,
/// give or take 15 %, which stands for the paper's time-series forecast. Under pressure the least recently used go.
struct HybridHistogramPolicy: ReplayPolicy {
    private static let minutes = 240
    private static let keepLong = 4 * 3600.0

    private struct History {
        var bins: [Float] = []
        var inside = 0
        var outside = 0
        var recent: [Double] = []
        var lastIdle: Double?
        /// Seconds until the container comes back, and for how long it then stays.
        var window = (without: 0.0, with: HybridHistogramPolicy.keepLong)
        var calls: UInt32 = 0
    }

    private var histories: [History]
    private var eviction = RankedEviction()

    init(functions: Int) { histories = Array(repeating: History(), count: functions) }

    mutating func arrived(_ function: Int, _ pool: inout ReplayPool) {
        histories[function].calls += 1
        guard let last = histories[function].lastIdle, pool.busy[function] == 0 else { return }
        let gap = pool.now - last
        let minute = Int(gap / 60)
        histories[function].recent = histories[function].recent.suffix(7) + [gap]
        if minute >= Self.minutes {
            histories[function].outside += 1
        } else {
            if histories[function].bins.isEmpty { histories[function].bins = Array(repeating: 0, count: Self.minutes) }
            histories[function].bins[minute] += 1
            histories[function].inside += 1
        }
        let seen = histories[function].inside + histories[function].outside
        if seen & (seen - 1) == 0 || seen % 32 == 0 || histories[function].inside < 64 { recompute(function) }
    }

    private mutating func recompute(_ function: Int) {
        let history = histories[function]
        let inside = Double(history.inside)
        histories[function].window = (0, Self.keepLong)
        if history.outside > history.inside, history.inside + history.outside >= 5 {
            let mean = history.recent.reduce(0, +) / Double(history.recent.count)
            histories[function].window = (0.85 * mean, 0.3 * mean)
            return
        }
        guard history.inside >= 5 else { return }
        let mean = inside / Double(Self.minutes)
        let variance = history.bins.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(Self.minutes)
        guard variance.squareRoot() / mean >= 2 else { return }
        var seen = 0.0
        var head: Int?
        var tail = Self.minutes
        for (minute, count) in history.bins.enumerated() {
            seen += Double(count)
            if head == nil, seen >= 0.05 * inside { head = minute }
            if seen >= 0.99 * inside {
                tail = minute + 1
                break
            }
        }
        let without = Double(head ?? 0) * 60 * 0.9
        histories[function].window = (without, max(60, Double(tail) * 60 * 1.1 - without))
    }

    mutating func miss(_ function: Int, _ pool: inout ReplayPool) -> ReplayChoice {
        eviction.makeRoom(for: function, &pool) ? .startHere : .refuse
    }

    mutating func becameIdle(_ container: Int, wasBusy: Bool, _ pool: inout ReplayPool) {
        let function = pool.containers[container].function
        histories[function].lastIdle = pool.now
        let window = histories[function].window
        eviction.add(container, rank: pool.now, &pool)
        let goesAtOnce = window.without > 0 && !pool.containers[container].isAhead
        pool.events.add(
            .expires(container, pool.containers[container].generation), at: pool.now + (goesAtOnce ? 1e-9 : window.with))
        guard goesAtOnce else { return }
        let start = pool.now + max(0, window.without - pool.trace.costs[function].coldStart)
        pool.events.add(.policy(function, histories[function].calls), at: start)
    }

    mutating func timer(_ function: Int, _ generation: UInt32, _ pool: inout ReplayPool) {
        guard generation == histories[function].calls, pool.held[function] == 0, eviction.makeRoom(for: function, &pool) else { return }
        pool.startBehind(function, ahead: true)
    }
}
