public import EngineCore

/// A call's wish for a container, with all that bears on whether and where it gets one.
public struct CapacityRequest: Sendable {
    public var kind: ContainerClass
    /// What its account may take.
    public var permission: CapacityPermission
    /// Whether it can wait; otherwise what would be a wait is a refusal.
    public var mayWait: Bool
    /// The caller's; a container that has the same is preferred.
    public var home: ObjectIdentifier?
    public var affinity: AffinityDemand?
    /// For work that is not time-sensitive: how long from now it may begin at the latest.
    public var deferral: Duration?
    /// How many calls of the function, over all its versions, may run at once; 0: none.
    public var concurrencyMax: Int?
    /// The end of the call's budget.
    public var deadline: EngineInstant?
    /// How long a start of the function takes; `nil`: as measured here.
    public var coldStart: Duration?
    /// To the function's region and back; `nil`: there is none.
    public var roundTrip: Duration?
    /// What a second of its callers' time is worth, compared with others.
    public var weight: Double
    /// How long a run of the function usually takes.
    public var duration: Duration?
    /// How long it waits for a container that is being started ahead of calls, instead of a start of its own; `nil`: as long as that takes.
    public var patience: Duration?
    /// The retention policy knows of its arrival already.
    public var isAnnounced: Bool
    /// It takes a container that is idle or being started ahead of calls, or it is refused: it has somewhere else to go.
    public var isWarmOnly: Bool
    /// What its account bids, where the call itself pays any price.
    var accountBid: Double?

    public init(
        _ kind: ContainerClass, permission: CapacityPermission = .standard, mayWait: Bool = true, home: ObjectIdentifier? = nil,
        affinity: AffinityDemand? = nil, deferral: Duration? = nil, concurrencyMax: Int? = nil, deadline: EngineInstant? = nil,
        coldStart: Duration? = nil, roundTrip: Duration? = nil, weight: Double = 1, duration: Duration? = nil, patience: Duration? = nil,
        isAnnounced: Bool = false, isWarmOnly: Bool = false
    ) {
        self.kind = kind
        self.permission = permission
        self.mayWait = mayWait
        self.home = home
        self.affinity = affinity
        self.deferral = deferral
        self.concurrencyMax = concurrencyMax
        self.deadline = deadline
        self.coldStart = coldStart
        self.roundTrip = roundTrip
        self.weight = weight
        self.duration = duration
        self.patience = patience
        self.isAnnounced = isAnnounced
        self.isWarmOnly = isWarmOnly
    }
}
