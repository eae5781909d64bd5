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

    /// The newest entries that `isIncluded` accepts, newest first. O(records kept).
    public func newest(_ limit: Int, where isIncluded: (InvocationRecord) -> Bool = { _ in true }) -> [Entry] {
        state.withLock { state in
            var found: [Entry] = []
            for offset in 1...state.ring.count where found.count < limit {
                let place = (state.next - offset + state.ring.count) % state.ring.count
                if let entry = state.ring[place], isIncluded(entry.record) { found.append(entry) }
            }
            return found
        }
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
