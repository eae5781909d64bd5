internal import CapacityPools
internal import Placement

/// Replays a trace in virtual time through the pool's own state machine and one policy.
///
/// What it simulates: one node with so much memory for containers, in front of a region that is always warm and has no bound. Every
/// transition is the node's: who gets which container, who waits, who gives way, what is kept ready. What the machine wants done is done
/// at once, and starts take exactly what the trace says. Processors are not a limit; what starting takes of them is counted.
public struct Replay: Sendable {
    /// What decides.
    public enum Policy: Hashable, Sendable {
        /// Hit-density pricing.
        case market(prewarms: Bool)
        /// Idle containers end after a time; under pressure the least recently used first.
        case fixedKeepAlive(seconds: Double)
        /// The least recently used first.
        case leastRecentlyUsed
        /// FaasCache: by frequency, cost and size.
        case greedyDual
        /// Shahrad et al.: by a histogram of idle times to each function.
        case hybridHistogram
        /// Everything to the region.
        case forwardAll
    }

    /// Booted instances that are kept ready for any function.
    public struct WarmingPool: Hashable, Sendable {
        /// The largest ceiling.
        public static let ceilingMax = 10_000

        /// At least so many, and at most; between them demand decides.
        public var floor: Int
        public var ceiling: Int
        /// Mebibytes that a spare instance is reckoned to hold.
        public var spareMemory: Double
        /// Seconds that booting a spare instance takes.
        public var boot: Double
        /// Seconds of a start on a spare instance, where the trace does not say.
        public var spareStart: Double

        public init(floor: Int, ceiling: Int, spareMemory: Double = 16, boot: Double = 0.5, spareStart: Double = 0.005) {
            self.floor = floor
            self.ceiling = ceiling
            self.spareMemory = spareMemory
            self.boot = boot
            self.spareStart = spareStart
        }
    }

    public let trace: Trace
    /// Mebibytes for containers.
    public var capacity: Double
    /// Seconds of the trace that warm the node and are not measured.
    public var warmUp: Double
    /// Whether calls can be forwarded.
    public var hasRegions: Bool
    public var seed: UInt64
    /// Seconds that the market and LRU keep an idle container at most.
    public var keepAlive = Double.infinity
    /// `nil`: every start is one from nothing.
    public var warmingPool: WarmingPool?
    /// Seconds that a call waits for room where it cannot be forwarded; then it is dropped. 0: it is dropped at once.
    public var waitMax = 0.0

    public init(_ trace: Trace, capacity: Double, warmUp: Double = 0, hasRegions: Bool = true, seed: UInt64 = 1) {
        self.trace = trace
        self.capacity = capacity
        self.warmUp = warmUp
        self.hasRegions = hasRegions
        self.seed = seed
    }

    /// O(calls · log(calls under way)).
    public func run(_ policy: Policy) -> ReplayResult {
        var site = ReplaySite(self, retention: retention(policy))
        for call in 0..<trace.count {
            site.advance(to: trace.arrivals[call])
            site.serve(call)
        }
        return site.result()
    }

    private func retention(_ policy: Policy) -> any RetentionPolicy {
        let rule = KeepAliveRule(base: keepAlive)
        switch policy {
        case .market(let prewarms):
            var configuration = CapacityMarket.Configuration(capacity: capacity)
            configuration.prewarms = prewarms
            configuration.hasRegions = hasRegions
            return MarketRetention(configuration: configuration, rule: rule, seed: seed)
        case .fixedKeepAlive(let seconds): return LeastRecentRetention(rule: KeepAliveRule(base: seconds))
        case .leastRecentlyUsed: return LeastRecentRetention(rule: rule)
        case .greedyDual: return GreedyDualRetention(hasRegions: hasRegions)
        case .hybridHistogram: return HybridHistogramRetention()
        case .forwardAll: return ForwardAllRetention()
        }
    }
}
