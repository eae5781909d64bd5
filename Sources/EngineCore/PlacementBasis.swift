/// What a placement decision saw. Part of the call's record, so that anybody can check the decision by hand.
public struct PlacementBasis: Hashable, Sendable, Codable {
    /// What decided.
    public enum Policy: String, Sendable, Codable, CaseIterable {
        /// Calls a half-life against two thresholds.
        case frequency
        /// Seconds saved against what the memory is worth meanwhile.
        case market
    }

    public var policy: Policy
    /// Calls of the function lately, where thresholds decide.
    public var callsPerHalfLife: Double?
    /// About how often it was seen lately, where the market decides.
    public var timesSeen: Int?
    /// Milliseconds of its callers' time that one more container here is expected to win, beyond what it costs.
    public var gain: Double?
    /// The market looks at it at all, or its calls have passed the threshold.
    public var isFrequent: Bool
    public var latency: PlacementRule.Latency
    /// Milliseconds from nothing to the first call here, expected.
    public var coldStart: Double?
    /// Milliseconds to the nearest region and back, expected.
    public var roundTrip: Double?
    /// Milliseconds a run takes, here and in regions; `nil`: none has been seen.
    public var runHere: Double?
    public var runThere: Double?
    /// What one container holds, and what is free here.
    public var memory: ByteCount
    public var freeMemory: ByteCount
    public var freeSlots: Int
    /// Whether the version's code is unpacked here.
    public var isCodeHere: Bool
    /// Seconds of latency that a mebibyte-second is worth now.
    public var price: Double?
    /// Whether a container was started behind the forwarded call.
    public var startsBehind: Bool

    public init(
        policy: Policy, callsPerHalfLife: Double? = nil, timesSeen: Int? = nil, gain: Double? = nil, isFrequent: Bool,
        latency: PlacementRule.Latency = .normal, coldStart: Double? = nil, roundTrip: Double? = nil, runHere: Double? = nil,
        runThere: Double? = nil, memory: ByteCount, freeMemory: ByteCount, freeSlots: Int, isCodeHere: Bool,
        price: Double? = nil, startsBehind: Bool = false
    ) {
        self.policy = policy
        self.callsPerHalfLife = callsPerHalfLife
        self.timesSeen = timesSeen
        self.gain = gain
        self.isFrequent = isFrequent
        self.latency = latency
        self.coldStart = coldStart
        self.roundTrip = roundTrip
        self.runHere = runHere
        self.runThere = runThere
        self.memory = memory
        self.freeMemory = freeMemory
        self.freeSlots = freeSlots
        self.isCodeHere = isCodeHere
        self.price = price
        self.startsBehind = startsBehind
    }
}
