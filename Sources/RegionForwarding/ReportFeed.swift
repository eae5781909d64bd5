public import EngineCore
import Synchronization

/// What a region tells those who read its reports: its history, kept up to date by whoever takes its calls, and the readers.
public final class ReportFeed: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Versions told of; beyond, the one that changed longest ago is forgotten.
        public var rowsMax = 16_384
        public var streamsPerPeerMax = 2
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

    private struct State {
        var history: ReceiveHistory
        var refreshed: EngineInstant
        var readers: [UInt64: (peer: String, signal: AsyncStream<Void>.Continuation)] = [:]
        var nextID: UInt64 = 0
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
        let signals = state.withLock { state in
            body(&state.history)
            return state.readers.values.map(\.signal)
        }
        for signal in signals { signal.yield() }
    }

    // MARK: - Who reads

    /// Must be given back with ``unsubscribe(_:)``.
    /// - Throws: `overloaded` when there are too many readers, of this peer or at all.
    public func subscribe(peer: String) throws(InvocationError) -> Subscription {
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state -> UInt64? in
            let ofPeer = state.readers.values.count { $0.peer == peer }
            guard ofPeer < limits.streamsPerPeerMax, state.readers.count < limits.streamsMax else { return nil }
            state.nextID += 1
            state.readers[state.nextID] = (peer, signal)
            return state.nextID
        }
        guard let id else { throw InvocationError(.overloaded, "Node \(node) sends its reports to as many readers as it may.") }
        signal.yield()
        return Subscription(id: id, signals: signals, signal: signal)
    }

    /// Ends the reader's signals. To do so twice changes nothing.
    public func unsubscribe(_ subscription: Subscription) {
        state.withLock { $0.readers[subscription.id] = nil }
        subscription.signal.finish()
    }

    /// What has changed after `since`, of this process.
    public func report(since: UInt64, now: EngineInstant = .now()) -> RegionReport {
        let condition = condition()
        return state.withLock { state in
            if now - state.refreshed >= limits.heartbeat {
                state.refreshed = now
                state.history.refresh(idle: idleContainers)
            }
            let (rows, sequence, more) = state.history.changes(
                since: since, limit: ForwardWire.reportRowsMax, idle: idleContainers)
            return RegionReport(
                node: node, epoch: epoch, sequence: sequence, more: more, load: condition.load, saturated: condition.isSaturated,
                draining: condition.isDraining, rows: rows.map { RegionReport.Row($0, now: now) })
        }
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
