internal import Placement

#if canImport(Glibc)
import Glibc
#endif

/// What no schedule can beat on a trace, however well it knows the future: a lower bound of the mean added latency.
///
/// If memory could be hired at a price, every concurrency slot of every function would plan for itself: run here or forward, keep or
/// let go. Whatever the price, the cost of those plans less the price of all there is to hire is no more than what any schedule costs
/// that has to share the memory (weak duality). So the price is sought that makes this largest. One price for all times comes within
/// a tenth of the best that changes with time (policy.md, section 7), and takes seconds.
///
/// Schedules that start containers ahead of calls are not bound by it: who knows the future starts everything just in time. Starts behind
/// a forwarded call are free in it, and concurrency slots independent, so the true optimum is above.
public struct ClairvoyantBound: Sendable {
    /// A slot's cheapest plans up to its last call, in seconds: it ran here; was forwarded, and a container is there; was forwarded.
    private struct Plans {
        var here = 0.0
        var kept = 0.0
        var none = 0.0
        var arrived = -Double.infinity
        var ended = -Double.infinity
    }

    private let trace: Trace
    private let warmUp: Double
    private let hasRegions: Bool
    /// By call.
    private let slots: [Int32]
    private let slotCount: Int
    private let end: Double
    private let measured: Int

    /// O(calls · log(slots of a function)).
    public init(_ trace: Trace, warmUp: Double, hasRegions: Bool) {
        self.trace = trace
        self.warmUp = warmUp
        self.hasRegions = hasRegions
        end = trace.arrivals.last ?? 0
        measured = (0..<trace.count).count { trace.arrivals[$0] >= warmUp }
        // The lowest free slot of its function takes a call.
        var ends = EventQueue<(function: Int, slot: Int32)>()
        var free = [[Int32]](repeating: [], count: trace.costs.count)
        var slots: [Int32] = []
        var count: Int32 = 0
        for call in 0..<trace.count {
            while let next = ends.nextAt, next <= trace.arrivals[call], let (_, ended) = ends.takeFirst() {
                let place = free[ended.function].firstIndex { $0 < ended.slot } ?? free[ended.function].count
                free[ended.function].insert(ended.slot, at: place)
            }
            let function = Int(trace.functions[call])
            var slot = count
            if let lowest = free[function].popLast() { slot = lowest } else { count += 1 }
            slots.append(slot)
            ends.add((function, slot), at: trace.arrivals[call] + Double(trace.durations[call]))
        }
        self.slots = slots
        slotCount = Int(count)
    }

    /// Seconds of added latency to a call, at least, with so many mebibytes. O(calls), two dozen times.
    public func mean(capacity: Double) -> Double {
        guard measured > 0, end > warmUp else { return 0 }
        // The value is concave in the price: golden section over its logarithm, from next to nothing to more than anything is worth.
        var (low, high) = (-11.0, -2.0)
        let ratio = 0.618_033_988_749_895
        func value(_ exponent: Double) -> Double { self.value(price: pow(10, exponent), capacity: capacity) }
        var (one, other) = (high - ratio * (high - low), low + ratio * (high - low))
        var (atOne, atOther) = (value(one), value(other))
        while high - low > 0.02 {
            if atOne < atOther {
                low = one
                (one, atOne) = (other, atOther)
                other = low + ratio * (high - low)
                atOther = value(other)
            } else {
                high = other
                (other, atOther) = (one, atOne)
                one = high - ratio * (high - low)
                atOne = value(one)
            }
        }
        return max(0, atOne, atOther) / Double(measured)
    }

    private func value(price: Double, capacity: Double) -> Double {
        var plans = [Plans](repeating: Plans(), count: slotCount)
        for call in 0..<trace.count {
            let costs = trace.costs[Int(trace.functions[call])]
            let (arrival, slot) = (trace.arrivals[call], Int(slots[call]))
            let isMeasured = arrival >= warmUp
            let coldStart = isMeasured ? costs.coldStart : 0
            let roundTrip = !hasRegions ? .infinity : isMeasured ? costs.roundTrip : 0
            let rent = price * costs.memory
            let before = plans[slot]
            let isFirst = before.arrived == -.infinity
            let warm =
                isFirst
                ? .infinity
                : min(before.here + rent * hired(before.ended, arrival), before.kept + rent * hired(before.arrived, arrival))
            let bare = min(before.here, before.kept, before.none)
            let ended = arrival + Double(trace.durations[call])
            plans[slot] = Plans(
                here: min(warm, bare + coldStart) + rent * hired(arrival, ended), kept: min(warm, bare) + roundTrip,
                none: bare + roundTrip, arrived: arrival, ended: ended)
        }
        return plans.reduce(0) { $0 + min($1.here, $1.kept, $1.none) } - price * capacity * (end - warmUp)
    }

    /// Seconds of the measured time between two moments.
    private func hired(_ from: Double, _ to: Double) -> Double { max(0, min(to, end) - max(from, warmUp)) }
}
