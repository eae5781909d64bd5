/// What is known of one region when a call is to be forwarded. Times are seconds.
public struct RegionCandidate: Hashable, Sendable {
    /// What the region itself has told of this function.
    public struct History: Hashable, Sendable {
        /// How long ago it received a call of it last.
        public var lastReceived: Double
        /// Idle containers it had for it when it told.
        public var idleContainers: Int

        public init(lastReceived: Double, idleContainers: Int) {
            self.lastReceived = lastReceived
            self.idleContainers = idleContainers
        }
    }

    /// The node's name.
    public var name: String
    /// It can be reached, and its circuit is closed.
    public var isHealthy: Bool
    /// It has refused for lack of capacity just now, or says that it is full.
    public var isSaturated: Bool
    /// It has said that it holds the current version. A region that holds another, or has not said, is not eligible.
    public var holdsVersion: Bool
    /// There and back, by ``PeakAverage``; `nil` before the first sample.
    public var roundTrip: Double?
    /// The share of its capacity in use, 0 to 1.
    public var load: Double
    /// Calls of this node under way there.
    public var underWay: Int
    /// `nil`: it has never received this function.
    public var history: History?
    /// How old its report is; `nil` if none came.
    public var reportAge: Double?

    public init(
        name: String, isHealthy: Bool = true, isSaturated: Bool = false, holdsVersion: Bool = true, roundTrip: Double? = nil,
        load: Double = 0, underWay: Int = 0, history: History? = nil, reportAge: Double? = nil
    ) {
        self.name = name
        self.isHealthy = isHealthy
        self.isSaturated = isSaturated
        self.holdsVersion = holdsVersion
        self.roundTrip = roundTrip
        self.load = load
        self.underWay = underWay
        self.history = history
        self.reportAge = reportAge
    }
}
