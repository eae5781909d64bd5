/// Why a call waits, or waited, for capacity. One to a wait.
public enum CapacityWait: String, Hashable, Sendable, Codable, CaseIterable {
    /// Free memory, slots or starts do not suffice now.
    case shortage
    /// The function's dedicated containers are busy, and its account's policy is to wait for one.
    case dedicated
    /// The account has as much as it may, and waits for its own.
    case permissionLimit = "permission_limit"
    /// No variable capacity is to be had for the account's bid.
    case variablePrice = "variable_price"
    /// The work is not time-sensitive, and a cheaper period comes.
    case cheaperPeriod = "cheaper_period"
    /// The container the call wants serves another.
    case affinity
}

/// Why a call gets no capacity. One to a refusal.
public enum CapacityRefusal: String, Hashable, Sendable, Codable, CaseIterable {
    /// Nothing is free and the places to wait are taken, or the function is larger than the node.
    case noCapacity = "no_capacity"
    /// The account's policy is to reject, not to spill or wait.
    case rejectedByPolicy = "rejected_by_policy"
    /// The account may not be given more.
    case noPermission = "no_permission"
    /// The function runs as often at once as its owner has reserved for it.
    case reservedConcurrency = "reserved_concurrency"
    /// The container that the call requires is busy, gone or not the account's.
    case affinity
    /// A call waited for variable capacity until its time was over.
    case variableCapacity = "variable_capacity"
}

/// How a call came by its container, from the dearest to the cheapest way not to have had (STICK-11, architecture §3).
public enum CapacityBranch: String, Hashable, Sendable, Codable, CaseIterable {
    /// An idle container with the function's code.
    case loaded
    /// A new container in an instance of the account.
    case ownInstance = "own_instance"
    /// An instance of the warming pool.
    case warmingPool = "warming_pool"
    /// A new instance.
    case newInstance = "new_instance"
}

/// Why no idle container was there for a call that had to start one.
public enum ColdCause: String, Hashable, Sendable, Codable, CaseIterable {
    /// The function has not been called here since the node began, or for so long that it is forgotten.
    case first
    /// Its containers were all busy.
    case busy
    /// Its last idle one had been kept for its time.
    case expired
    /// Its last idle one had given way to others.
    case evicted
    /// Its last one ended by itself: a crash, a time-out, out of memory.
    case ended
    /// Its last one was ended by the operator.
    case killed
    /// The function was changed, and containers of the old revision serve no more.
    case changed
    /// The call wanted one particular container.
    case affinity
}
