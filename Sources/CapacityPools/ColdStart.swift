public import EngineCore

/// One start that a call had to wait for, why nothing was warm, and what would have made it so. Kept for ``keptMax`` starts to a function.
public struct ColdStart: Hashable, Sendable, Encodable {
    public static let keptMax = 16

    /// On the monotonic clock.
    public var atNanoseconds: Int64
    public var version: FunctionVersion
    public var cause: ColdCause
    public var branch: CapacityBranch
    public var subPool: SubPoolID?
    /// What the call had waited for before.
    public var waitedFor: CapacityWait?
    /// How long the last container had been idle when it went.
    public var idleSeconds: Double?
    /// How long before the call it went.
    public var goneSeconds: Double?
    /// Containers of the function that were busy or starting.
    public var busyCount: Int
    /// For whom the last one gave way.
    public var evictedFor: String?
    public var remedy: ColdRemedy
}

/// What would have made a start unnecessary.
public struct ColdRemedy: Hashable, Sendable, Encodable {
    public enum Kind: String, Hashable, Sendable, Encodable, CaseIterable {
        /// So many containers dedicated to the function.
        case reserve
        /// Idle containers kept for so long.
        case keepLonger = "keep_longer"
        /// So much more memory.
        case moreMemory = "more_memory"
        /// The container ended by itself: its function, or its limits, need care.
        case repair
        /// The rule of affinity that sent the call away from an idle container.
        case affinityRule = "affinity_rule"
        /// A start that nothing could have spared the call.
        case nothing
    }

    public var kind: Kind
    public var count: Int?
    public var seconds: Double?
    public var mebibytes: Int?
}
