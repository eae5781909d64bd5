/// Why a task runs here, is forwarded, or is refused. Each decision has exactly one (PLACE-04).
public enum DecisionReason: String, Sendable, Codable, CaseIterable {
    // Run here.
    /// A container of this version is idle here.
    case warm
    /// The function is called often enough to be worth capacity here.
    case frequent
    /// This node is a region: what reaches it, it runs.
    case region
    /// The node has no region to forward to.
    case noRegionConfigured = "no_region_configured"
    /// The region is out of reach; the task fits here and the function would otherwise have been forwarded (PLACE-22).
    case regionOutage = "region_outage"

    /// Every region that could be reached refused or failed this very call; the task fits here.
    case regionsDeclined = "regions_declined"

    /// The container that the call wants is here.
    case affinity

    // Forward.
    /// The account may not be given more capacity here.
    case noPermission = "no_permission"
    /// The container that the call wants is at another node of this site.
    case affinityElsewhere = "affinity_elsewhere"
    /// Called too rarely to be worth capacity here (PLACE-06).
    case uncommon
    /// Worth a container here, but none is warm yet and a start takes longer than the way to a region. One is started behind the call.
    case startedBehind = "started_behind"
    /// Free memory or slots do not suffice (PLACE-05).
    case noCapacity = "no_capacity"
    /// The function asks for more memory than this node gives any one function, or runs for so long that its memory here is worth more
    /// than the round trip (PLACE-08).
    case profile

    /// The version's code is not unpacked here; it is fetched meanwhile (PLACE-09).
    case codeNotCurrent = "code_not_current"

    // Refuse.
    /// Nothing here or elsewhere can take it now.
    case overloaded
    /// It has been forwarded as often as permitted (PLACE-18).
    case hopLimit = "hop_limit"
    /// The node is draining.
    case draining
}

/// How much was prepared when a run began, from everything to nothing.
public enum StartLevel: String, Sendable, Codable, CaseIterable, Comparable {
    /// An idle container of this version.
    case warm
    /// A new container in an instance of the account.
    case container
    /// An instance from the warming pool, assigned.
    case instance
    /// A new instance, its runtime forked from the zygote.
    case zygote
    /// A new instance, its runtime booted from nothing.
    case boot

    private var rank: Int {
        switch self {
        case .warm: 0
        case .container: 1
        case .instance: 2
        case .zygote: 3
        case .boot: 4
        }
    }

    public static func < (left: StartLevel, right: StartLevel) -> Bool { left.rank < right.rank }
}
