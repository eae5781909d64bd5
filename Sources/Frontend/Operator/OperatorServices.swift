public import EngineCore
public import Telemetry

/// What the operator's API shows.
public struct OperatorServices: Sendable {
    /// What is kept of one invocation.
    public var record: @Sendable (RequestID) -> RecordStore.Entry?
    /// The newest invocations, newest first: at most so many of those that the filter includes.
    public var newest: @Sendable (_ limit: Int, _ filter: RecordFilter) -> [RecordStore.Entry]
    public var pools: @Sendable () async -> any Encodable & Sendable
    public var status: @Sendable () async -> any Encodable & Sendable

    public init(
        record: @escaping @Sendable (RequestID) -> RecordStore.Entry?,
        newest: @escaping @Sendable (_ limit: Int, _ filter: RecordFilter) -> [RecordStore.Entry],
        pools: @escaping @Sendable () async -> any Encodable & Sendable,
        status: @escaping @Sendable () async -> any Encodable & Sendable
    ) {
        self.record = record
        self.newest = newest
        self.pools = pools
        self.status = status
    }
}
