/// How a region was chosen for a forwarded call: every candidate with what was known of it. Part of the call's record.
public struct RegionChoice: Sendable, Codable, Equatable {
    public var basis: RegionBasis
    /// All regions, in the order of the configuration.
    public var scores: [RegionScore]

    public init(basis: RegionBasis, scores: [RegionScore]) {
        self.basis = basis
        self.scores = scores
    }
}

/// What decided between regions.
public enum RegionBasis: String, Sendable, Codable, CaseIterable {
    /// A region is warmer than the others, by its own history.
    case warmth
    /// Distance and load alone: no region has seen the function.
    case distance
    /// Distance and load alone: reports are too old or missing (PLACE-12).
    case stale
    /// At most one region was eligible.
    case onlyOne = "only_one"
}

/// Why a region was not eligible for a call.
public enum RegionExclusion: String, Sendable, Codable, CaseIterable {
    case unreachable, saturated
    case versionNotHeld = "version_not_held"
    /// It has refused or failed this very call.
    case tried
}

/// One region as a candidate for one call. The score is the call's expected added time there, in milliseconds; the least wins.
public struct RegionScore: Sendable, Codable, Equatable {
    public var region: String
    /// `nil`: it was eligible.
    public var exclusion: RegionExclusion?

    // The parts of the score, in milliseconds.
    public var roundTrip: Double
    public var queueing: Double
    /// The chance of a cold start, times what it takes.
    public var start: Double
    public var total: Double { roundTrip + queueing + start }

    // What they come from.
    /// Whether it is known to hold the version.
    public var holdsVersion: Bool
    /// The share of its capacity in use, 0 to 1.
    public var load: Double
    /// Calls of this node under way there.
    public var underWay: Int
    /// Milliseconds since it told of itself; `nil`: it has not.
    public var reportAge: Double?
    /// Milliseconds since it received a call of the function's version last; `nil`: never, as far as it has told.
    public var lastReceived: Double?
    /// Idle containers it has for it; `nil` as above.
    public var idleContainers: Int?

    public init(
        region: String, exclusion: RegionExclusion? = nil, roundTrip: Double, queueing: Double, start: Double, holdsVersion: Bool,
        load: Double, underWay: Int, reportAge: Double? = nil, lastReceived: Double? = nil, idleContainers: Int? = nil
    ) {
        self.region = region
        self.exclusion = exclusion
        self.roundTrip = roundTrip
        self.queueing = queueing
        self.start = start
        self.holdsVersion = holdsVersion
        self.load = load
        self.underWay = underWay
        self.reportAge = reportAge
        self.lastReceived = lastReceived
        self.idleContainers = idleContainers
    }
}
