internal import EngineCore
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The rate, trend and peakedness of takes, and how many came within one lead.
///
/// Takes are counted by period; a period that is over goes into exponential means. Many empty periods at once cost no more than one.
struct DemandMeter: Sendable {
    /// The time constants of the means, in seconds.
    static let fast = 5.0
    static let slow = 30.0
    static let long = 300.0
    /// Standard deviations that are no news.
    private static let chanceDeviations = 1.5
    /// Periods of a lead that are counted.
    static let windowMax = 64

    private let period: Int64
    private let seconds: Double
    private var number: Int64?
    private var count = 0
    /// Takes of the period before.
    private var previous = 0
    private var fastRate = 0.0
    private var slowRate = 0.0
    /// Takes per second in the last minutes: the ratio in which sub-pools share.
    private(set) var longRate = 0.0
    private var variance = 0.0
    /// Takes of the newest periods that are over, a ring indexed by the number of the period.
    private var recent: [Int]
    private var window = 1

    init(period: Duration) {
        self.period = max(1, period.wholeNanoseconds)
        seconds = Double(self.period) / 1_000_000_000
        recent = [Int](repeating: 0, count: Self.windowMax)
    }

    /// - Returns: the takes within the lead that ends now, this one included. That many spares would have served them all.
    mutating func take(at now: EngineInstant) -> Int {
        roll(to: now)
        count += 1
        guard let number, window > 1 else { return count }
        return (1..<Int64(window)).reduce(count) { $0 + recent[slot(number - $1)] }
    }

    /// The time until what is taken now will be replaced.
    mutating func setLead(_ lead: Double) {
        window = min(max(1, Int((lead / seconds).rounded(.up))), Self.windowMax)
    }

    mutating func roll(to now: EngineInstant) {
        let current = now.nanoseconds / period
        guard let number else {
            self.number = current
            return
        }
        guard current > number else { return }
        close(count, periods: 1)
        recent[slot(number)] = count
        let empty = current - number - 1
        if empty > 0 {
            close(0, periods: 1)
            close(0, periods: Double(empty - 1))
            for passed in 1...min(empty, Int64(Self.windowMax)) { recent[slot(current - passed)] = 0 }
        }
        count = 0
        self.number = current
    }

    /// Takes per second that are to be expected after `lead` seconds: the mean of the last minutes, unless a faster one says otherwise by
    /// more than chance does it.
    func rate(after lead: Double) -> Double {
        let usual = abs(slowRate - longRate) > chance(slowRate, Self.slow) ? slowRate : longRate
        guard fastRate - usual > chance(fastRate, Self.fast) else { return usual }
        let slope = max(0, fastRate - slowRate) / (Self.slow - Self.fast)
        return fastRate + slope * (Self.fast + lead)
    }

    /// How far chance, or one batch of calls, takes a mean from what it is the mean of.
    private func chance(_ rate: Double, _ constant: Double) -> Double {
        let batch = min(max(peakedness, 1), BaseStock.peakednessMax)
        return max((rate * batch / (2 * constant)).squareRoot() * Self.chanceDeviations, batch / constant)
    }

    /// Variance ÷ mean of the takes of a period: 1 when they come at random, n when they come in batches of n.
    var peakedness: Double {
        let mean = longRate * seconds
        return mean > 1e-12 ? variance / mean : 1
    }

    /// `periods` of `taken` takes each. More than one only of equal ones that follow an equal one.
    private mutating func close(_ taken: Int, periods: Double) {
        guard periods > 0 else { return }
        let rate = Double(taken) / seconds
        follow(&fastRate, rate, Self.fast, periods)
        follow(&slowRate, rate, Self.slow, periods)
        follow(&longRate, rate, Self.long, periods)
        // Half the mean square of successive differences (von Neumann): a variance that a trend does not enter.
        let difference = Double(taken - previous)
        follow(&variance, difference * difference / 2, Self.long, periods)
        previous = taken
    }

    private func follow(_ mean: inout Double, _ value: Double, _ constant: Double, _ periods: Double) {
        mean += (1 - exp(-periods * seconds / constant)) * (value - mean)
    }

    private func slot(_ number: Int64) -> Int {
        let rest = Int(number % Int64(Self.windowMax))
        return rest < 0 ? rest + Self.windowMax : rest
    }
}
