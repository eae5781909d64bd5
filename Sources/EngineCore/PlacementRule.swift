/// What the owner of a function declares about where and how often its calls may run.
public struct PlacementRule: Hashable, Sendable, Codable {
    /// How much a caller minds waiting.
    public enum Latency: String, Hashable, Sendable, Codable, CaseIterable {
        /// Every millisecond counts: worth more of a POP's memory.
        case high
        case normal
        /// Nobody waits for it: a start or a round trip more does not matter.
        case low

        /// What a second of its callers' time is worth, compared with a function of which nothing is said.
        public var weight: Double {
            switch self {
            case .high: 4
            case .normal: 1
            case .low: 0.25
            }
        }
    }

    /// Running a call twice does no more than running it once, so that it may be tried again when it is not known whether it ran.
    public var isIdempotent: Bool
    /// Whether a version may be served for a while after a newer one was published, where the newer one is not at hand.
    public var servesStale: Bool
    public var latency: Latency

    public init(isIdempotent: Bool = false, servesStale: Bool = false, latency: Latency = .normal) {
        self.isIdempotent = isIdempotent
        self.servesStale = servesStale
        self.latency = latency
    }
}
