/// One sub-pool: what it is to hold, what it holds, and what it did for calls since the node began.
public struct SubPoolReport: Sendable, Codable {
    /// `nil`: the common memory, for instances that come from no sub-pool.
    public var name: SubPoolID?
    public var kind: SubPoolID.Kind?
    /// Ready instances (of a dedicated one: containers) that are kept at least, are wanted now, and are kept at most; `nil` where nothing
    /// is kept ready.
    public var floor: Int?
    public var target: Int?
    public var ceiling: Int?
    /// Instances (of a dedicated one: containers) that wait for a call.
    public var ready: Int
    public var booting: Int
    /// Instances that belong to an account now (of a dedicated one: containers that run a call).
    public var active: Int
    public var memoryHeldBytes: Int
    /// `nil`: it shares the common memory.
    public var memoryLimitBytes: Int?
    /// Of a GiB-hour; variable ones alone have one.
    public var price: Double?
    /// Calls by the way in which they came by their container (``CapacityBranch``).
    public var hits: [String: Int]
    /// Calls that had to wait, by reason, and those that wait now.
    public var waits: [String: Int]
    public var waiting: Int
    public var refusals: [String: Int]
    public var bootFailures: Int
    /// The operator has closed it: nothing new is taken from it.
    public var isDrained: Bool
    /// Lent to the common memory for the time being, and until when (seconds since 1970); `nil`: until it is recalled.
    public var lentBytes: Int
    public var lentUntilEpochSeconds: Double?

    /// For people.
    public var title: String { name?.description ?? Self.commonTitle }
    /// How the common memory is called.
    public static let commonTitle = "common"

    public init(
        name: SubPoolID?, floor: Int? = nil, target: Int? = nil, ceiling: Int? = nil, ready: Int = 0, booting: Int = 0, active: Int = 0,
        memoryHeldBytes: Int = 0, memoryLimitBytes: Int? = nil, price: Double? = nil, hits: [CapacityBranch: Int] = [:],
        waits: [CapacityWait: Int] = [:], waiting: Int = 0, refusals: [CapacityRefusal: Int] = [:], bootFailures: Int = 0,
        isDrained: Bool = false, lentBytes: Int = 0, lentUntilEpochSeconds: Double? = nil
    ) {
        self.name = name
        kind = name?.kind
        self.floor = floor
        self.target = target
        self.ceiling = ceiling
        self.ready = ready
        self.booting = booting
        self.active = active
        self.memoryHeldBytes = memoryHeldBytes
        self.memoryLimitBytes = memoryLimitBytes
        self.price = price
        self.hits = hits.byName
        self.waits = waits.byName
        self.waiting = waiting
        self.refusals = refusals.byName
        self.bootFailures = bootFailures
        self.isDrained = isDrained
        self.lentBytes = lentBytes
        self.lentUntilEpochSeconds = lentUntilEpochSeconds
    }
}
