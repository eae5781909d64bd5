import CapacityPools
import EngineCore

/// A warming pool in virtual time: calls at random, boots that take their time, and whoever says how many to keep.
struct SizingSimulation {
    struct Outcome {
        var calls = 0
        var cold = 0
        /// Instances ready or booting × seconds.
        var held = 0.0
        var seconds = 0.0
        /// The target at the end of each second.
        var targets: [Int] = []
        /// Calls that found none, by second.
        var coldAt: [Int] = []

        var coldShare: Double { calls == 0 ? 0 : Double(cold) / Double(calls) }
        var meanSize: Double { seconds == 0 ? 0 : held / seconds }
    }

    static let subPool = SubPoolID.general(runtime: "python", sizeClass: 128)

    /// Who says how many to keep; `nil`: a number that does not change.
    var sizer: WarmingSizer?
    /// Seconds.
    var boot = 0.25
    var parallelBoots = 64
    /// 00:00 UTC of some day.
    var epochSeconds: Int64 = 20_000 * 86_400
    private var ready = 0
    private var boots: [Double] = []
    private var random: SplitMix
    private var target = 0

    init(_ sizer: WarmingSizer, seed: UInt64) {
        self.sizer = sizer
        random = SplitMix(seed: seed)
    }

    init(fixed target: Int, seed: UInt64) {
        self.target = target
        random = SplitMix(seed: seed)
    }

    /// - Parameter rate: calls per second at a second since the beginning.
    mutating func run(seconds: Int, from begin: Int = 0, rate: (Double) -> Double) -> Outcome {
        var outcome = Outcome()
        for second in begin..<begin + seconds {
            let cold = outcome.cold
            resize(second)
            // A second in twenty steps: calls in a step are as good as at once.
            for step in 0..<20 {
                let time = Double(second) + Double(step) / 20
                settle(time)
                for _ in 0..<random.poisson(rate(time) / 20) { take(time, &outcome) }
                replenish(time)
                outcome.held += Double(ready + boots.count) / 20
            }
            outcome.seconds += 1
            outcome.targets.append(target)
            outcome.coldAt.append(outcome.cold - cold)
        }
        return outcome
    }

    private mutating func resize(_ second: Int) {
        let moment = WallMoment(
            epochMilliseconds: (epochSeconds + Int64(second)) * 1000,
            instant: EngineInstant(nanoseconds: Int64(second) * 1_000_000_000))
        for (subPool, count) in sizer?.targets(at: moment) ?? [] where subPool == Self.subPool { target = count }
        ready = min(ready, max(0, target - boots.count))
    }

    private mutating func settle(_ time: Double) {
        let done = boots.count { $0 <= time }
        guard done > 0 else { return }
        boots.removeAll { $0 <= time }
        ready += done
        for _ in 0..<done { sizer?.booted(Self.subPool, in: .seconds(boot)) }
    }

    private mutating func take(_ time: Double, _ outcome: inout Outcome) {
        outcome.calls += 1
        if ready > 0 { ready -= 1 } else { outcome.cold += 1 }
        sizer?.took(Self.subPool, now: EngineInstant(nanoseconds: Int64(time * 1e9)))
    }

    private mutating func replenish(_ time: Double) {
        while ready + boots.count < target, boots.count < parallelBoots { boots.append(time + boot) }
    }
}

extension SplitMix {
    init(seed: UInt64) { self.init(state: seed) }

    /// A number of independent events of which `mean` are expected; `mean` is small.
    mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        var left = 1.0 - Double.random(in: 0..<1, using: &self)
        var count = 0
        var term = 1.0
        // e^-mean, without a library: the series converges at once for a small mean.
        var probability = (1...20).reduce(into: (sum: 1.0, term: 1.0)) { series, n in
            series.term *= -mean / Double(n)
            series.sum += series.term
        }.sum
        while left > probability && count < 50 {
            left -= probability
            count += 1
            term = mean / Double(count)
            probability *= term
        }
        return count
    }
}
