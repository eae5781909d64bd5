public import Telemetry

/// The node's log of arrivals, for `wayside record`.
public struct ArrivalServices: Sendable {
    /// The rows from that number on, at most so many.
    public var rows: @Sendable (_ first: UInt64, _ limit: Int) -> ArrivalLog.Extract
    /// The number of the first row of a call that arrived then, in seconds since 1970, or later.
    public var first: @Sendable (_ epochSeconds: Double) -> UInt64

    public init(
        rows: @escaping @Sendable (_ first: UInt64, _ limit: Int) -> ArrivalLog.Extract,
        first: @escaping @Sendable (_ epochSeconds: Double) -> UInt64
    ) {
        self.rows = rows
        self.first = first
    }

    public init(_ records: RecordStore) {
        self.init(rows: { records.arrivals(from: $0, limit: $1) }, first: { records.firstArrival(since: $0) })
    }
}
