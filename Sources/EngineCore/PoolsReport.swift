/// What `GET /v1/pools` answers: the node's capacity at one moment, and what came of it since the node began.
///
/// Names of reasons and ways are the raw values of ``CapacityWait``, ``CapacityRefusal`` and ``CapacityBranch``; what never happened may
/// be absent.
public struct PoolsReport: Sendable, Codable {
    public var memoryBytes: Int
    public var memoryHeldBytes: Int
    public var instances: Int
    public var instancesBooting: Int
    public var instancesReady: Int
    public var containers: Int
    public var containersStarting: Int
    public var containersIdle: Int
    public var containersBusy: Int
    /// Calls that wait for capacity.
    public var waiting: Int
    /// The same, by what they wait for.
    public var waitingByReason: [String: Int]
    public var subPools: [SubPoolReport]
    /// The areas that memory is charged to; their `heldBytes` add up to ``memoryHeldBytes``.
    public var areas: [AreaReport]
    public var ledger: [LedgerRow]
    /// What the rows of ``ledger`` add up to, kept on its own.
    public var totals: LedgerUse
    /// What decides who stays warm: seconds of latency for a mebibyte-second; `nil` where nothing has a price.
    public var pricePerMebibyteSecond: Double?

    public init(
        memoryBytes: Int, memoryHeldBytes: Int, instances: Int, instancesBooting: Int, instancesReady: Int, containers: Int,
        containersStarting: Int, containersIdle: Int, containersBusy: Int, waiting: Int, waitingByReason: [CapacityWait: Int] = [:],
        subPools: [SubPoolReport] = [], areas: [AreaReport] = [], ledger: [LedgerRow] = [], totals: LedgerUse = LedgerUse(),
        pricePerMebibyteSecond: Double? = nil
    ) {
        self.memoryBytes = memoryBytes
        self.memoryHeldBytes = memoryHeldBytes
        self.instances = instances
        self.instancesBooting = instancesBooting
        self.instancesReady = instancesReady
        self.containers = containers
        self.containersStarting = containersStarting
        self.containersIdle = containersIdle
        self.containersBusy = containersBusy
        self.waiting = waiting
        self.waitingByReason = waitingByReason.byName
        self.subPools = subPools
        self.areas = areas
        self.ledger = ledger
        self.totals = totals
        self.pricePerMebibyteSecond = pricePerMebibyteSecond
    }
}

/// Memory that instances are charged to: `common`, or the name of a fixed or variable sub-pool.
public struct AreaReport: Sendable, Codable, Equatable {
    public var name: String
    public var limitBytes: Int
    public var heldBytes: Int

    public init(name: String, limitBytes: Int, heldBytes: Int) {
        self.name = name
        self.limitBytes = limitBytes
        self.heldBytes = heldBytes
    }
}

/// What was held and used, added up over time (POOL-23).
public struct LedgerUse: Sendable, Codable, Equatable {
    public var instanceSeconds: Double
    /// Seconds in which containers ran calls.
    public var executingSeconds: Double
    public var memoryMebibyteSeconds: Double

    public init(instanceSeconds: Double = 0, executingSeconds: Double = 0, memoryMebibyteSeconds: Double = 0) {
        self.instanceSeconds = instanceSeconds
        self.executingSeconds = executingSeconds
        self.memoryMebibyteSeconds = memoryMebibyteSeconds
    }
}

/// One account's use of one sub-pool.
public struct LedgerRow: Sendable, Codable, Equatable {
    /// `nil`: nobody's, as the warming pool's instances are.
    public var account: AccountID?
    /// `nil`: the account's own instances, and what no sub-pool is named for.
    public var subPool: SubPoolID?
    public var use: LedgerUse

    public init(account: AccountID?, subPool: SubPoolID?, use: LedgerUse) {
        self.account = account
        self.subPool = subPool
        self.use = use
    }
}

extension Dictionary where Key: RawRepresentable<String> {
    /// The values by the names of their keys, for JSON's objects have only texts as names.
    var byName: [String: Value] { Dictionary<String, Value>(uniqueKeysWithValues: map { ($0.key.rawValue, $0.value) }) }
}
