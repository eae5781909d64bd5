#if canImport(Glibc)
import Glibc
#endif

/// What a mebibyte-second of this node's memory costs, in seconds of latency: the one number every decision is weighed with.
///
/// No function's history says whether memory is scarce; the pool does. The price rises until about a twentieth of the pool, and a
/// container or two, are free or held by containers not worth it, so that a newcomer who pays nearly always finds room. It falls when
/// more than that stands idle. With arrivals known in advance the optimal plan is an interval packing whose dual is exactly such a price
/// (policy.md, section 7), and a slowly moving one comes within a tenth of the best.
struct MemoryPrice: Hashable, Sendable {
    /// Seconds between two adjustments.
    static let interval = 5.0
    /// The part of the pool that may be held by what is not worth the price.
    static let slack = 0.05
    /// Containers of mean size that may be, besides.
    static let slackContainers = 1.5
    /// How far one adjustment goes for an error of the whole pool.
    static let gain = 0.2
    /// The largest error of one adjustment: memory that has just become plenty is not given away at once.
    static let errorMax = 0.5

    /// Seconds per mebibyte-second.
    private(set) var value: Double
    private var nextAdjustment = 0.0

    init(value: Double = 1e-6) { self.value = value }

    func isDue(at now: Double) -> Bool { now >= nextAdjustment }

    /// - Parameters:
    ///   - idle: mebibytes that are free or held by containers worth less than the price.
    ///   - capacity: mebibytes in all.
    ///   - meanSize: mebibytes of a container that is asked for, on average.
    mutating func adjust(idle: Double, capacity: Double, meanSize: Double, now: Double) {
        nextAdjustment = now + Self.interval
        let error = idle / capacity - Self.slack - Self.slackContainers * meanSize / capacity
        value = min(1, max(1e-11, value * exp(-Self.gain * min(error, Self.errorMax))))
    }
}
