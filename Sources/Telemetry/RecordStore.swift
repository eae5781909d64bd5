public import EngineCore
internal import NIOCore
internal import Synchronization

/// The newest invocations of this node, by request id: what `wayside explain` and `wayside logs` print.
///
/// Bounded twice, by number and by the bytes of the logs; the oldest go first, and how many have gone is counted. Records outlive
/// the container that ran the call. Of each call a row of the ``ArrivalLog`` is kept as well, for far longer.
public final class RecordStore: Sendable {
    /// One invocation as it is kept.
    public struct Entry: Sendable {
        public let record: InvocationRecord
        public let log: InvocationLog

        public init(record: InvocationRecord, log: InvocationLog) {
            self.record = record
            self.log = log
        }
    }

    fileprivate struct State {
        /// A ring; `next` is where the coming entry goes and, once the ring is full, where the oldest lies.
        var ring: [Entry?]
        var next = 0
        /// Entries that ever came; the one before number n lies at n modulo the ring's length.
        var added = 0
        var count = 0
        var logBytes = 0
        var evicted = 0
        var places: [RequestID: Int] = [:]
        var arrivals: ArrivalLog
    }

    /// Rows of the arrival log, unless told otherwise: 6 MiB.
    public static let arrivalsMaxDefault = 262_144

    private let state: Mutex<State>
    private let logBytesMax: Int

    /// - Parameters:
    ///   - countMax: records kept, at least 1.
    ///   - logBytesMax: bytes of logs kept; the logs of the oldest records go with them.
    ///   - arrivalsMax: rows of the arrival log; 0 keeps none.
    public init(countMax: Int, logBytesMax: ByteCount, arrivalsMax: Int = RecordStore.arrivalsMaxDefault) {
        precondition(countMax > 0, "A record store keeps at least one record.")
        state = Mutex(State(ring: Array(repeating: nil, count: countMax), arrivals: ArrivalLog(rowsMax: arrivalsMax)))
        self.logBytesMax = logBytesMax.bytes
    }

    /// Keeps a record. A second one with the same request id replaces the first. O(1) amortised.
    public func add(_ entry: Entry) {
        state.withLock { state in
            state.arrivals.add(entry.record)
            if let place = state.places[entry.record.requestID] { state.drop(place) }
            if state.ring[state.next] != nil { state.evict(state.next) }
            state.ring[state.next] = entry
            state.places[entry.record.requestID] = state.next
            state.count += 1
            state.logBytes += entry.log.text.readableBytes
            let newest = state.next
            state.next = (state.next + 1) % state.ring.count
            state.added += 1
            var oldest = state.next
            while state.logBytes > logBytesMax, state.count > 1, oldest != newest {
                if state.ring[oldest] != nil { state.evict(oldest) }
                oldest = (oldest + 1) % state.ring.count
            }
        }
    }

    public func entry(_ id: RequestID) -> Entry? {
        state.withLock { state in state.places[id].flatMap { state.ring[$0] } }
    }

    /// Entries looked at while calls that end wait: some tens of microseconds.
    private static let pageLength = 128

    /// The newest entries that `isIncluded` accepts, newest first. O(records kept). Those that come meanwhile are not among them.
    public func newest(_ limit: Int, where isIncluded: (InvocationRecord) -> Bool = { _ in true }) -> [Entry] {
        var found: [Entry] = []
        var end = Int.max
        while found.count < limit, end > 0 {
            let page = state.withLock { $0.page(before: &end, length: Self.pageLength) }
            for entry in page where found.count < limit && isIncluded(entry.record) { found.append(entry) }
        }
        return found
    }

    /// Rows of the arrival log; see ``ArrivalLog/rows(from:limit:)``. O(rows in the answer).
    public func arrivals(from first: UInt64, limit: Int) -> ArrivalLog.Extract {
        state.withLock { $0.arrivals.rows(from: first, limit: limit) }
    }

    /// The number of the first row of the arrival log whose call arrived then or later. O(rows kept).
    public func firstArrival(since epochSeconds: Double) -> UInt64 { state.withLock { $0.arrivals.firstRow(since: epochSeconds) } }

    /// Records that had to go because of a limit.
    public var evictedCount: Int { state.withLock { $0.evicted } }
}

extension RecordStore.State {
    /// Entries with numbers before `end`, the newest first; `end` is then the last one's number, 0 when there are no more.
    fileprivate func page(before end: inout Int, length: Int) -> [RecordStore.Entry] {
        let last = min(end, added)
        let first = max(last - length, added - ring.count, 0)
        end = first > added - ring.count ? first : 0
        return stride(from: last - 1, through: first, by: -1).compactMap { ring[$0 % ring.count] }
    }

    fileprivate mutating func evict(_ place: Int) {
        drop(place)
        evicted += 1
    }

    fileprivate mutating func drop(_ place: Int) {
        guard let entry = ring[place] else { return }
        ring[place] = nil
        places[entry.record.requestID] = nil
        count -= 1
        logBytes -= entry.log.text.readableBytes
    }
}
