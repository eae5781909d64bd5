#if canImport(Glibc)
internal import Glibc
#endif

/// One trace under several policies and pool sizes.
public struct Sweep: Sendable {
    public struct Point: Hashable, Sendable, Codable {
        public var policy: String
        public var gigabytes: Double
        public var result: ReplayResult
        /// Seconds of mean added latency that no schedule without starts ahead can beat; `nil`: not reckoned.
        public var bound: Double?
    }

    public var points: [Point] = []

    public init() {}

    public mutating func add(_ policy: Replay.Policy, gigabytes: Double, _ result: ReplayResult, bound: Double? = nil) {
        points.append(Point(policy: policy.name, gigabytes: gigabytes, result: result, bound: bound))
    }

    /// The policies in the order in which they came.
    public var policies: [String] {
        points.map(\.policy).reduce(into: []) { names, name in if !names.contains(name) { names.append(name) } }
    }

    public func points(of policy: String) -> [Point] {
        points.filter { $0.policy == policy }.sorted { $0.gigabytes < $1.gigabytes }
    }

    /// The size beyond which more memory brings little: where the curve of mean latency over the logarithm of the size is farthest below
    /// the line between its ends (V. Satopää et al., "Finding a 'Kneedle' in a Haystack", ICDCSW 2011).
    /// - Returns: `nil` for fewer than three sizes, or where no point lies below the line.
    public func knee(of policy: String) -> Point? {
        let points = points(of: policy)
        guard points.count >= 3, let first = points.first, let last = points.last else { return nil }
        let width = log2(last.gigabytes / first.gigabytes)
        let height = last.result.meanLatency - first.result.meanLatency
        func depth(_ point: Point) -> Double {
            first.result.meanLatency + height * log2(point.gigabytes / first.gigabytes) / width - point.result.meanLatency
        }
        guard let knee = points.max(by: { depth($0) < depth($1) }), depth(knee) > 0 else { return nil }
        return knee
    }
}

extension Replay.Policy {
    /// The names on the command line.
    public static let named: [(name: String, policy: Self)] = [
        ("market", .market(prewarms: true)), ("market-without-prewarming", .market(prewarms: false)),
        ("keep-alive", .fixedKeepAlive(seconds: 600)), ("lru", .leastRecentlyUsed), ("greedy-dual", .greedyDual),
        ("hybrid-histogram", .hybridHistogram), ("forward", .forwardAll),
    ]

    public var name: String {
        switch self {
        case .market(let prewarms): prewarms ? "market" : "market-without-prewarming"
        case .fixedKeepAlive: "keep-alive"
        case .leastRecentlyUsed: "lru"
        case .greedyDual: "greedy-dual"
        case .hybridHistogram: "hybrid-histogram"
        case .forwardAll: "forward"
        }
    }

    /// - Parameter keepAlive: seconds, for the policy of that name.
    public init?(name: String, keepAlive: Double = 600) {
        guard let found = Self.named.first(where: { $0.name == name }) else { return nil }
        if case .fixedKeepAlive = found.policy { self = .fixedKeepAlive(seconds: keepAlive) } else { self = found.policy }
    }
}
