public import EngineCore

/// What a node is for.
public enum NodeRole: String, Sendable, Codable, CaseIterable {
    /// Near users and small: it runs what is worth its capacity and forwards the rest.
    case pop
    /// Large: it runs what reaches it and never forwards.
    case region
}

/// All that a placement decision depends on, besides the configuration: a snapshot, taken by the caller.
public struct PlacementInputs: Hashable, Sendable {
    public var role: NodeRole
    /// Where the call came from and how many hops it has made.
    public var origin: InvocationRequest.Origin
    /// A container of the pinned version is idle here. Starting in it takes no further slot or memory.
    public var hasWarmContainer: Bool
    /// The call wants one particular container, and it is here.
    public var hasAffinity: Bool
    /// What it is worth here if nothing is warm.
    public var worth: Worth
    /// How long a run takes, as measured, in seconds; `nil`: none has been seen.
    public var run: Double?
    /// The version's code is unpacked here.
    public var isCodeHere: Bool
    /// The memory the function needs.
    public var functionMemory: ByteCount
    /// Memory that can be given to a new container now.
    public var freeMemory: ByteCount
    /// New containers that can be started now.
    public var freeSlots: Int
    /// The account may be given one more container here.
    public var isPermitted: Bool
    /// The call or its account has terms of its own for capacity (a bid, a deferral, ``keepsToDedicated``), so that the pool alone can say
    /// whether it waits.
    public var hasTerms: Bool
    /// The version has dedicated containers here, and while all are busy its calls are to wait for one, or to be refused: its owner's word.
    public var keepsToDedicated: Bool
    /// Any region is configured, reachable or not.
    public var hasRegions: Bool
    /// Node names of the regions that answer and hold the pinned version, best first.
    public var reachableRegions: [String]
    /// Regions that have refused or failed this very call. The caller adds to them and decides again (PLACE-16).
    public var excludedRegions: Set<String>

    public init(
        role: NodeRole, origin: InvocationRequest.Origin, hasWarmContainer: Bool, hasAffinity: Bool = false, worth: Worth,
        run: Double? = nil, isCodeHere: Bool = true, functionMemory: ByteCount, freeMemory: ByteCount, freeSlots: Int,
        isPermitted: Bool = true, hasTerms: Bool = false, keepsToDedicated: Bool = false, hasRegions: Bool, reachableRegions: [String],
        excludedRegions: Set<String> = []
    ) {
        self.role = role
        self.origin = origin
        self.hasWarmContainer = hasWarmContainer
        self.hasAffinity = hasAffinity
        self.worth = worth
        self.run = run
        self.isCodeHere = isCodeHere
        self.functionMemory = functionMemory
        self.freeMemory = freeMemory
        self.freeSlots = freeSlots
        self.isPermitted = isPermitted
        self.hasTerms = hasTerms
        self.keepsToDedicated = keepsToDedicated
        self.hasRegions = hasRegions
        self.reachableRegions = reachableRegions
        self.excludedRegions = excludedRegions
    }
}
