public import EngineCore
public import FunctionCatalog

/// What the operator sees and changes of the node's capacity. The next request is served as the change says.
public struct CapacityServices: Sendable {
    /// Finds the functions that are asked about.
    public var catalog: Catalog
    public var pools: @Sendable () async -> PoolsReport
    /// Makes the sub-pool if it is a general or fixed one that may be made.
    public var configure: @Sendable (SubPoolID, SubPoolChange) async throws(CapacityFailure) -> Void
    /// Closes the sub-pool for new calls, or opens it again.
    public var drain: @Sendable (SubPoolID, _ isDrained: Bool) async throws(CapacityFailure) -> Void
    /// Lends memory of a fixed sub-pool to the common area; none recalls what is lent. `nil` time: until it is recalled.
    public var lend: @Sendable (_ fixed: String, _ memory: ByteCount, _ time: Duration?) async throws(CapacityFailure) -> Void
    /// Keeps so many containers of the version started ahead; none ends that.
    public var reserve: @Sendable (PinnedVersion, _ count: Int) async throws(CapacityFailure) -> Void
    public var instances: @Sendable () async -> [InstanceReport]
    /// Ends it with what is in it; calls that run there are answered as the engine's doing.
    public var kill: @Sendable (KillTarget) async throws(CapacityFailure) -> Void
    /// Keeps a container from being ended for room or by its keep-alive, or lets it go again.
    /// - Returns: whether it was there.
    public var pin: @Sendable (_ container: UInt64, _ isPinned: Bool) async -> Bool
    /// Every row of the table, in any order.
    public var sticky: @Sendable () async -> [StickyEntry]
    /// - Returns: whether the row was there. The next call with the value gets a container anew.
    public var removeSticky: @Sendable (FunctionKey, FunctionVersion, _ value: String) async -> Bool
    /// The last cold starts of a function, in any order.
    public var coldStarts: @Sendable (FunctionKey) async -> [ColdStartReport]

    public enum KillTarget: Hashable, Sendable {
        case instance(UInt64)
        case container(UInt64)
    }

    public init(
        catalog: Catalog, pools: @escaping @Sendable () async -> PoolsReport,
        configure: @escaping @Sendable (SubPoolID, SubPoolChange) async throws(CapacityFailure) -> Void,
        drain: @escaping @Sendable (SubPoolID, _ isDrained: Bool) async throws(CapacityFailure) -> Void,
        lend: @escaping @Sendable (_ fixed: String, _ memory: ByteCount, _ time: Duration?) async throws(CapacityFailure) -> Void,
        reserve: @escaping @Sendable (PinnedVersion, _ count: Int) async throws(CapacityFailure) -> Void,
        instances: @escaping @Sendable () async -> [InstanceReport],
        kill: @escaping @Sendable (KillTarget) async throws(CapacityFailure) -> Void,
        pin: @escaping @Sendable (_ container: UInt64, _ isPinned: Bool) async -> Bool,
        sticky: @escaping @Sendable () async -> [StickyEntry],
        removeSticky: @escaping @Sendable (FunctionKey, FunctionVersion, _ value: String) async -> Bool,
        coldStarts: @escaping @Sendable (FunctionKey) async -> [ColdStartReport]
    ) {
        self.catalog = catalog
        self.pools = pools
        self.configure = configure
        self.drain = drain
        self.lend = lend
        self.reserve = reserve
        self.instances = instances
        self.kill = kill
        self.pin = pin
        self.sticky = sticky
        self.removeSticky = removeSticky
        self.coldStarts = coldStarts
    }
}

/// Why capacity was not changed as the operator asked.
public struct CapacityFailure: Error, Equatable {
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such sub-pool; the answer lists those that there are. 404.
        case unknownSubPool = "unknown_sub_pool"
        /// It is gone, or never was. 404.
        case notFound = "not_found"
        /// The kind of sub-pool has no such setting, or the number is out of its range. 400.
        case invalidSetting = "invalid_setting"
        /// More memory is promised than there is. 409.
        case notEnoughMemory = "not_enough_memory"
        /// What it is now stands in the way. 409.
        case conflict
        /// The node is draining, or its launcher is lost. 503.
        case unavailable
    }

    public let code: Code
    /// What failed and what to do about it.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
