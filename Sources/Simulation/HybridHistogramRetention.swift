internal import CapacityPools
internal import Placement

/// A histogram of idle minutes to each function decides when its container goes and comes back: M. Shahrad et al., "Serverless in the
/// Wild", ATC 2020.
///
/// The head of the histogram (5th percentile, less a tenth) is the time without a container, the tail (99th, plus a tenth) the time with
/// one. Histograms that say little keep for four hours; functions that mostly come later than four hours are expected at their mean,
/// give or take 15 %, which stands for the paper's time-series forecast. Under pressure the least recently used go.
struct HybridHistogramRetention: RetentionPolicy {
    private static let minutes = 240
    private static let keepLong = 4 * 3600.0

    private struct History {
        var costs: RetentionCosts
        var bins: [Float] = []
        var inside = 0
        var outside = 0
        var recent: [Double] = []
        var lastIdle: Double?
        /// Seconds until the container comes back, and for how long it then stays.
        var window = (without: 0.0, with: HybridHistogramRetention.keepLong)
        var calls: UInt32 = 0
        var busy = 0
        var held = 0
    }

    private var histories: [History] = []
    private var idle = RankedIdle()
    /// Functions and their count of calls when the timer was set; a later call makes it void.
    private var timers = EventQueue<(function: FunctionIndex, calls: UInt32)>()

    mutating func functionAdded(_ function: FunctionIndex, costs: RetentionCosts) {
        while histories.count <= function { histories.append(History(costs: costs)) }
        histories[function] = History(costs: costs)
    }

    mutating func costsChanged(_ function: FunctionIndex, to costs: RetentionCosts) { histories[function].costs = costs }

    mutating func callArrived(_ function: FunctionIndex, free: Double, now: Double) {
        histories[function].calls &+= 1
        guard let last = histories[function].lastIdle, histories[function].busy == 0 else { return }
        let gap = now - last
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

    private mutating func recompute(_ function: FunctionIndex) {
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

    // MARK: Containers

    mutating func containerStarts(_ container: ContainerID, of function: FunctionIndex, now: Double) { histories[function].held += 1 }

    mutating func containerIsBusy(_ container: ContainerID, of function: FunctionIndex) { histories[function].busy += 1 }

    mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double) {
        idle.remove(container)
        histories[function].busy += 1
    }

    mutating func containerIsIdle(_ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double) {
        if wasBusy { histories[function].busy -= 1 }
        histories[function].lastIdle = now
        idle.add(container, rank: now, memory: histories[function].costs.memory)
        guard goesAtOnce(function, wasBusy: wasBusy) else { return }
        let start = now + max(0, histories[function].window.without - histories[function].costs.coldStart)
        timers.add((function, histories[function].calls), at: start)
    }

    mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double) {
        idle.remove(container)
        histories[function].held -= 1
        if was == .busy { histories[function].busy -= 1 }
    }

    // MARK: Questions

    private func goesAtOnce(_ function: FunctionIndex, wasBusy: Bool) -> Bool { wasBusy && histories[function].window.without > 0 }

    func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double {
        goesAtOnce(function, wasBusy: wasBusy) ? 0 : histories[function].window.with
    }

    mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]? {
        idle.lowest(memory: memory, slots: slots).map { $0.map { .container($0) } }
    }

    var nextPrewarming: Double? { timers.nextAt }

    mutating func takeDuePrewarming(free: Double, slots: Int, now: Double) -> RetentionPrewarming? {
        while let next = timers.nextAt, next <= now, let timer = timers.takeFirst()?.event {
            let history = histories[timer.function]
            guard timer.calls == history.calls, history.held == 0,
                let victims = victims(memory: history.costs.memory - free, slots: slots, gain: .infinity, now: now)
            else { continue }
            return RetentionPrewarming(timer.function, victims: victims)
        }
        return nil
    }
}
