public import EngineCore
public import FunctionCatalog
public import NIOCore
public import RegionForwarding
public import Telemetry

/// What the operator's API shows.
public struct OperatorServices: Sendable {
    /// What is kept of one invocation.
    public var record: @Sendable (RequestID) -> RecordStore.Entry?
    /// The newest invocations, newest first: at most so many of those that the filter includes.
    public var newest: @Sendable (_ limit: Int, _ filter: RecordFilter) -> [RecordStore.Entry]
    public var pools: @Sendable () async -> any Encodable & Sendable
    public var status: @Sendable () async -> any Encodable & Sendable
    /// `nil` where no sandbox can be started for the operator; asking is then answered with 503.
    public var sandbox: SandboxServices?
    /// `nil` where capacity is not shown or changed beyond ``pools``; asking is then answered with 503.
    public var capacity: CapacityServices?
    /// `nil` where this node forwards to none.
    public var regions: RegionDirectory?
    /// `nil` where no log of arrivals is kept; asking is then answered with 503.
    public var arrivals: ArrivalServices?

    public init(
        record: @escaping @Sendable (RequestID) -> RecordStore.Entry?,
        newest: @escaping @Sendable (_ limit: Int, _ filter: RecordFilter) -> [RecordStore.Entry],
        pools: @escaping @Sendable () async -> any Encodable & Sendable,
        status: @escaping @Sendable () async -> any Encodable & Sendable, sandbox: SandboxServices? = nil,
        capacity: CapacityServices? = nil, regions: RegionDirectory? = nil, arrivals: ArrivalServices? = nil
    ) {
        self.record = record
        self.newest = newest
        self.pools = pools
        self.status = status
        self.sandbox = sandbox
        self.capacity = capacity
        self.regions = regions
        self.arrivals = arrivals
    }
}

/// What the operator's API starts containers of its own for, beside the pools.
public struct SandboxServices: Sendable {
    /// Finds the function that is asked about.
    public var catalog: Catalog
    /// Says what holds for a container of the version.
    public var explain: @Sendable (PinnedVersion) async throws(InvocationError) -> SandboxReport
    /// Runs the version on each event, one after the other, and says which system calls it made.
    public var learn: @Sendable (PinnedVersion, _ events: [ByteBuffer]) async throws(InvocationError) -> LearnedProfile

    public init(
        catalog: Catalog, explain: @escaping @Sendable (PinnedVersion) async throws(InvocationError) -> SandboxReport,
        learn: @escaping @Sendable (PinnedVersion, _ events: [ByteBuffer]) async throws(InvocationError) -> LearnedProfile
    ) {
        self.catalog = catalog
        self.explain = explain
        self.learn = learn
    }
}
