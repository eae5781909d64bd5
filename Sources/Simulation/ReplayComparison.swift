/// A recorded load as it was, beside what a replay of it says: how far the simulation can be believed.
public struct ReplayComparison: Hashable, Sendable, Codable {
    /// One side.
    public struct Side: Hashable, Sendable, Codable {
        public var warmPart: Double
        public var coldPart: Double
        public var forwardedPart: Double
        /// Refused, or dropped.
        public var refusedPart: Double
        /// In seconds, as all latencies; of the calls that were answered.
        public var meanAdded: Double
        public var medianAdded: Double
        public var added99: Double
    }

    public var calls: Int
    public var recorded: Side
    public var simulated: Side

    /// - Parameters:
    ///   - trace: a recording that says how each call fared.
    ///   - result: of its replay.
    ///   - warmUp: seconds that the replay did not measure either.
    /// - Returns: `nil` if the trace does not say how its calls fared.
    public init?(_ trace: Trace, _ result: ReplayResult, warmUp: Double) {
        guard let actual = trace.actual else { return nil }
        let measured = (0..<trace.count).filter { trace.arrivals[$0] >= warmUp }
        let total = Double(max(1, measured.count))
        func part(_ isMeant: (Trace.Fate) -> Bool) -> Double { Double(measured.count { isMeant(actual.fates[$0]) }) / total }
        let added = measured.filter { actual.fates[$0] != .refused }.map { Double(actual.added[$0]) }.sorted()
        func quantile(_ part: Double) -> Double {
            added.isEmpty ? 0 : added[min(added.count - 1, max(0, Int((part * Double(added.count)).rounded(.up)) - 1))]
        }
        calls = measured.count
        recorded = Side(
            warmPart: part { $0 == .warm }, coldPart: part { [.container, .instance, .zygote, .boot].contains($0) },
            forwardedPart: part { $0 == .forwarded }, refusedPart: part { $0 == .refused },
            meanAdded: added.reduce(0, +) / Double(max(1, added.count)), medianAdded: quantile(0.5), added99: quantile(0.99))
        simulated = Side(
            warmPart: result.hitPart, coldPart: result.coldPart, forwardedPart: result.forwardedPart, refusedPart: result.droppedPart,
            meanAdded: result.meanLatency, medianAdded: result.medianLatency, added99: result.latency99)
    }
}
