public import EngineCore

/// Everything of the pools at one moment, for operators. The unit of a plain number is the last word of its name.
public struct PoolSnapshot: Sendable, Encodable {
    public var subPools: [SubPoolReport]
    public var areas: [AreaReport]
    public var instances: [InstanceReport]
    public var containers: [ContainerReport]
    public var ledger: [LedgerReport]
    /// Kept by itself, not added up from the rows.
    public var ledgerTotal: LedgerReport
    /// By the reason of the wait.
    public var waiting: [String: Int]
    /// What the retention policy reckons with: seconds of latency for a mebibyte-second; `nil` for one without a price.
    public var pricePerMebibyteSecond: Double?
    public var functionsRemembered: Int
    public var affinityRows: Int

    public struct SubPoolReport: Sendable, Encodable {
        /// `common` for what comes from no sub-pool.
        public var name: String
        public var kind: String
        public var floor: Int
        public var target: Int
        public var ceiling: Int
        /// Spare instances of a general one; idle containers of a dedicated one.
        public var ready: Int
        public var booting: Int
        public var activeInstances: Int
        public var containers: Int
        public var memoryHeldMebibytes: Int
        /// `nil`: it has no memory of its own.
        public var memoryLimitMebibytes: Int?
        public var lentMebibytes: Int
        /// Until what is lent comes back; `nil`: when it is recalled, or nothing is.
        public var lentSeconds: Double?
        /// Of a variable one, for a GiB-hour.
        public var price: Double?
        /// Calls served, by how they came by their container.
        public var hits: [String: Int]
        /// Calls that had to wait, by the reason at first.
        public var waits: [String: Int]
        /// Calls that wait for it now.
        public var waiting: Int
        public var refusals: [String: Int]
        public var bootFailures: Int
        public var isDrained: Bool
    }

    public struct AreaReport: Sendable, Encodable {
        public var name: String
        public var limitMebibytes: Int
        public var heldMebibytes: Int
        public var idleMebibytes: Int
        /// On its way to come free.
        public var endingMebibytes: Int
    }

    public struct InstanceReport: Sendable, Encodable {
        public var number: UInt64
        public var state: String
        public var runtime: String
        public var account: AccountID?
        public var subPool: String
        public var containers: [UInt64]
        public var ageSeconds: Double
        public var isLeaving: Bool
    }

    public struct ContainerReport: Sendable, Encodable {
        public var number: UInt64
        public var instance: UInt64
        public var state: String
        public var account: AccountID?
        /// The ARN without a version; `nil` while spare.
        public var function: String?
        public var version: FunctionVersion?
        public var revision: String?
        public var subPool: String
        public var memoryMebibytes: Int
        /// What its calls have left in it.
        public var stateMebibytes: Double
        public var idleSeconds: Double?
        /// Until its keep-alive is over; `nil`: it is not idle, or kept for ever.
        public var expiresSeconds: Double?
        public var ageSeconds: Double
        public var isDedicated: Bool
        public var isPinned: Bool
        /// Routing values that are mapped to it.
        public var affinityRows: Int
    }

    public struct LedgerReport: Sendable, Encodable {
        public var account: AccountID?
        public var subPool: String
        public var instances: Int
        public var containers: Int
        public var instanceSeconds: Double
        public var containerSeconds: Double
        public var executingSeconds: Double
        public var mebibyteSeconds: Double
    }
}
