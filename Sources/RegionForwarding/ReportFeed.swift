public import EngineCore
import Synchronization

/// What a region tells those who read its reports: its history, kept up to date by whoever takes its calls, and the readers.
public final class ReportFeed: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Versions told of; beyond, the one that changed longest ago is forgotten.
        public var rowsMax = 16_384
        /// Readers of one peer. One more ends the oldest: a peer that asks anew has lost that, and the news of it may be long in coming.
        public var streamsPerPeerMax = 2
        /// Readers at all; one more is refused with `overloaded`.
        public var streamsMax = 512
        /// Between two lines, unless there is more to tell than goes into one.
        public var spacing: Duration = .milliseconds(50)
        /// A line is sent so often when nothing changes.
        public var heartbeat: Duration = .seconds(1)

        public init() {}
    }

    /// What a line says of the node itself.
    public struct Condition: Hashable, Sendable {
        public var load: Double
        public var isSaturated: Bool
        public var isDraining: Bool

        public init(load: Double, isSaturated: Bool, isDraining: Bool) {
            self.load = load
            self.isSaturated = isSaturated
            self.isDraining = isDraining
        }
    }

    /// One reader.
    public struct Subscription: Sendable {
        fileprivate let id: UInt64
        /// An element when there is something to tell; what comes while nobody looks is one.
        public let signals: AsyncStream<Void>
        fileprivate let signal: AsyncStream<Void>.Continuation

        /// Has the reader told something now.
        public func signalNow() { signal.yield() }
    }

    private struct Reader {
        let peer: String
        let signal: AsyncStream<Void>.Continuation
        /// It has been told of all there was, and has had no signal since.
        var isWaiting = false
    }

    private struct State {
        var history: ReceiveHistory
        var refreshed: EngineInstant
        var readers: [UInt64: Reader] = [:]
        /// Those that wait. A call costs nothing for the others, which look at what there is before they wait again.
        var waiting: [UInt64] = []
        var nextID: UInt64 = 0

        mutating func remove(_ id: UInt64) -> Reader? {
            waiting.removeAll { $0 == id }
            return readers.removeValue(forKey: id)
        }
    }

    public let node: String
    public let limits: Limits
    /// Names this process.
    public let epoch: String
    private let idleContainers: @Sendable (PinnedVersion) -> Int
    private let condition: @Sendable () -> Condition
    private let state: Mutex<State>

    /// - Parameters:
    ///   - idleContainers: idle containers of a version; must not call back. O(1) is wanted.
    public init(
        node: String, limits: Limits = Limits(), idleContainers: @escaping @Sendable (PinnedVersion) -> Int,
        condition: @escaping @Sendable () -> Condition
    ) {
        self.node = node
        self.limits = limits
        self.idleContainers = idleContainers
        self.condition = condition
        epoch = String(UInt64.random(in: 0 ... .max), radix: 16)
        state = Mutex(State(history: ReceiveHistory(rowsMax: limits.rowsMax), refreshed: .now()))
    }

    // MARK: - What happens here

    /// A call has come.
    /// - Parameters:
    ///   - identity: the version the peer asked for.
    ///   - version: what runs: another one where the two are alike.
    public func received(_ identity: VersionIdentity, running version: PinnedVersion, now: EngineInstant = .now()) {
        change { $0.received(identity, running: version, now: now) }
    }

    /// - Parameter record: of the call, which was received before.
    public func answered(_ identity: VersionIdentity, _ record: InvocationRecord) {
        let spans = record.spans
        let isCold = record.startLevel.map { $0 > .warm } ?? false
        let start = isCold ? spans.fetch + spans.start + spans.initialise : nil
        change { $0.answered(identity, coldStart: start, run: spans.run) }
    }

    /// Versions whose packages are here, besides those received: told once, at the start or when they come.
    public func hold(_ versions: [VersionIdentity]) {
        change { history in
            for version in versions { history.hold(version) }
        }
    }

    /// The version or its package is not here, or no more.
    public func drop(revision: String) { change { $0.drop(revision: revision) } }

    /// When a call of the revision came last; `nil`: never, as far as is remembered. O(1).
    public func lastReceived(revision: String) -> EngineInstant? {
        state.withLock { $0.history.lastReceived(revision: revision) }
    }

    /// Has all readers told at once, of the node's condition.
    public func conditionChanged() { change { _ in } }

    private func change(_ body: (inout ReceiveHistory) -> Void) {
        let signals = state.withLock { state -> [AsyncStream<Void>.Continuation] in
            body(&state.history)
            guard !state.waiting.isEmpty else { return [] }
            let signals = state.waiting.compactMap { state.readers[$0]?.signal }
            for id in state.waiting { state.readers[id]?.isWaiting = false }
            state.waiting.removeAll(keepingCapacity: true)
            return signals
        }
        for signal in signals { signal.yield() }
    }

    // MARK: - Who reads

    /// Must be given back with ``unsubscribe(_:)``.
    /// - Throws: `overloaded` when there are too many readers.
    public func subscribe(peer: String) throws(InvocationError) -> Subscription {
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (id, ended) = state.withLock { state -> (UInt64?, Reader?) in
            var ended: Reader?
            let ofPeer = state.readers.filter { $0.value.peer == peer }.keys
            if ofPeer.count >= limits.streamsPerPeerMax, let oldest = ofPeer.min() { ended = state.remove(oldest) }
            guard state.readers.count < limits.streamsMax else { return (nil, ended) }
            state.nextID += 1
            state.readers[state.nextID] = Reader(peer: peer, signal: signal)
            return (state.nextID, ended)
        }
        ended?.signal.finish()
        guard let id else { throw InvocationError(.overloaded, "Node \(node) sends its reports to as many readers as it may.") }
        signal.yield()
        return Subscription(id: id, signals: signals, signal: signal)
    }

    /// Ends the reader's signals. To do so twice changes nothing.
    public func unsubscribe(_ subscription: Subscription) {
        _ = state.withLock { $0.remove(subscription.id) }
        subscription.signal.finish()
    }

    /// What has changed after `since`, of this process.
    /// - Parameter reader: who is told, and has a signal when there is more.
    public func report(since: UInt64, to reader: Subscription? = nil, now: EngineInstant = .now()) -> RegionReport {
        let (rows, sequence, more) = state.withLock { state in
            if let id = reader?.id, state.readers[id]?.isWaiting == false {
                state.readers[id]?.isWaiting = true
                state.waiting.append(id)
            }
            if now - state.refreshed >= limits.heartbeat {
                state.refreshed = now
                state.history.refresh(idle: idleContainers)
            }
            return state.history.changes(since: since, limit: ForwardWire.reportRowsMax, idle: idleContainers)
        }
        // Behind the lock: a change of it that had no signal for this reader is seen here.
        let condition = condition()
        return RegionReport(
            node: node, epoch: epoch, sequence: sequence, more: more, load: condition.load, saturated: condition.isSaturated,
            draining: condition.isDraining, rows: rows.map { RegionReport.Row($0, now: now) })
    }
}

extension RegionReport.Row {
    init(_ row: ReceiveHistory.Row, now: EngineInstant) {
        self.init(
            sequence: row.sequence, revision: row.identity.revision, function: row.identity.function.arn, version: row.identity.version,
            held: row.isHeld, calls: row.calls, lastReceived: row.lastReceived.map { max(0, (now - $0).inMilliseconds) }, idle: row.idle,
            coldStart: row.coldStart, run: row.run)
    }
}
