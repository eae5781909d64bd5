/// The preferences and limits of ``WarmingSizer``.
public struct WarmingSizerConfiguration: Hashable, Sendable {
    /// The share of calls that shall find an instance ready, at least 0.5 and less than 1.
    public var serviceLevel: Double
    /// Instances that all sub-pools together keep ready; `nil`: no such limit. Floors win over it.
    public var totalMax: Int?
    /// How often targets are reckoned, and the grain in which takes are counted; at least 100 ms.
    public var period: Duration
    /// How long what was needed is kept at least.
    public var hold: Duration
    /// How long after the last take the floor is gone back to.
    public var quietMax: Duration
    /// How long a boot may be put off by calls that start, which belongs to the time until a spare is replaced.
    public var pacing: Duration
    /// What a boot is reckoned to take before one was measured.
    public var leadDefault: Duration
    /// Longer ones are reckoned as this, so that a runtime that hardly boots does not ask for everything.
    public var leadMax: Duration
    /// Boots at once.
    public var parallelBoots: Int
    /// Beyond, a sub-pool is not sized.
    public var subPoolsMax: Int

    public init(
        serviceLevel: Double = 0.99, totalMax: Int? = nil, period: Duration = .seconds(1), hold: Duration = .seconds(180),
        quietMax: Duration = .seconds(600), pacing: Duration = PoolStateMachine.lackMax, leadDefault: Duration = .seconds(1),
        leadMax: Duration = .seconds(60), parallelBoots: Int = 4, subPoolsMax: Int = SizingHistory.subPoolsMax
    ) {
        self.serviceLevel = min(max(serviceLevel, 0.5), 0.999_999)
        self.totalMax = totalMax
        self.period = max(period, .milliseconds(100))
        self.hold = hold
        self.quietMax = quietMax
        self.pacing = pacing
        self.leadDefault = leadDefault
        self.leadMax = leadMax
        self.parallelBoots = parallelBoots
        self.subPoolsMax = min(subPoolsMax, SizingHistory.subPoolsMax)
    }
}
