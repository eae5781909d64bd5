/// What the node that forwarded a call decided it with, in short: sent along with the call, and part of the region's record of it, so
/// that the whole way of a call is explained at either end.
public struct ForwardOrigin: Hashable, Sendable, Codable {
    /// Why it forwards.
    public var reason: DecisionReason
    /// Milliseconds the call had spent there when it was sent.
    public var elapsed: Double
    /// What the decision saw.
    public var placement: PlacementBasis?
    /// What decided between regions, among how many, and how the chosen one was scored; `nil`: nothing was to choose.
    public var choice: Choice?
    /// Nodes that had been tried before.
    public var tries: [Attempt]

    /// The choice of a region, without the regions that were not chosen.
    public struct Choice: Hashable, Sendable, Codable {
        public var basis: RegionBasis
        public var regionCount: Int
        /// Milliseconds, as in ``RegionScore``.
        public var roundTrip: Double
        public var queueing: Double
        public var start: Double

        public init(basis: RegionBasis, regionCount: Int, roundTrip: Double, queueing: Double, start: Double) {
            self.basis = basis
            self.regionCount = regionCount
            self.roundTrip = roundTrip
            self.queueing = queueing
            self.start = start
        }
    }

    /// An ``InvocationTry`` without its words and times.
    public struct Attempt: Hashable, Sendable, Codable {
        public var node: String
        public var stage: ForwardStage
        public var code: InvocationError.Code

        public init(node: String, stage: ForwardStage, code: InvocationError.Code) {
            self.node = node
            self.stage = stage
            self.code = code
        }
    }

    public init(
        reason: DecisionReason, elapsed: Double, placement: PlacementBasis? = nil, choice: Choice? = nil, tries: [Attempt] = []
    ) {
        self.reason = reason
        self.elapsed = elapsed
        self.placement = placement
        self.choice = choice
        self.tries = tries
    }

    /// What `record` knows of the call as it is about to be forwarded to `region`.
    ///
    /// - Parameter elapsed: milliseconds since its arrival.
    public init(_ record: InvocationRecord, to region: String, elapsed: Double) {
        let score = record.regions?.scores.first { $0.region == region }
        self.init(
            reason: record.reason, elapsed: elapsed, placement: record.placement,
            choice: record.regions.flatMap { choice in
                score.map {
                    Choice(
                        basis: choice.basis, regionCount: choice.scores.count, roundTrip: $0.roundTrip, queueing: $0.queueing,
                        start: $0.start)
                }
            },
            tries: (record.tries ?? []).map { Attempt(node: $0.node, stage: $0.stage, code: $0.code) })
    }
}
