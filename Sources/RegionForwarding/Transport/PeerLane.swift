import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL

/// The connections of one event loop to one other node, and the exchanges on them.
///
/// ```
/// begin ─► a connection has room ─────────────────────────────────────► on it
///      ├─► one is being made, or may be ─► waits for it ─ made ───────► on it
///      │                                               └─ not made ──► lost
///      └─► no room, and no more connections permitted ───────────────► no
/// ```
final class PeerLane {
    /// The lane, for other threads.
    struct Reference: Sendable {
        let eventLoop: any EventLoop
        private let bound: NIOLoopBoundBox<PeerLane>

        init(_ lane: sending PeerLane, eventLoop: any EventLoop) {
            self.eventLoop = eventLoop
            bound = .makeBoxSendingValue(lane, eventLoop: eventLoop)
        }

        func perform(_ body: @escaping @Sendable (PeerLane) -> Void) {
            if eventLoop.inEventLoop { body(bound.value) } else { eventLoop.execute { body(bound.value) } }
        }
    }

    private struct Place {
        /// `nil` while it waits for a connection.
        var connection: PeerConnection?
        let exchange: PeerExchange
        var deadline: NIODeadline?
        let begun: NIODeadline
    }

    /// How late a deadline may be noticed.
    private static let tick = TimeAmount.milliseconds(10)
    /// With those that take no new calls and wait for their last, a lane has so many times its connections at most.
    private static let retiredFactor = 4
    /// The largest head of an answer.
    private static let headBytesMax = 16 << 10

    let eventLoop: any EventLoop
    private let configuration: PeerTransport.Configuration
    private let connectionsMax: Int
    private let tls: Result<NIOSSLContext, any Error>
    private let verify: @Sendable (any Channel) throws -> Void
    private var connections: [PeerConnection] = []
    private var connecting = 0
    private var waiting = CircularBuffer<PeerExchange>()
    private var places: [ObjectIdentifier: Place] = [:]
    /// When deadlines are looked at next, and how; none is earlier.
    private var look: (at: NIODeadline, task: Scheduled<Void>)?
    private var isWatchingIdleness = false
    private var isClosed = false
    /// Told when a connection has fallen silent.
    var onSilence: @Sendable () -> Void = {}

    init(
        _ configuration: PeerTransport.Configuration, connectionsMax: Int, _ tls: Result<NIOSSLContext, any Error>,
        eventLoop: any EventLoop, verify: @escaping @Sendable (any Channel) throws -> Void
    ) {
        self.configuration = configuration
        self.connectionsMax = connectionsMax
        self.tls = tls
        self.eventLoop = eventLoop
        self.verify = verify
    }

    // MARK: Exchanges

    /// - Parameter reference: this lane's.
    /// - Returns: whether there is room, or the exchange is over already. O(connections).
    func begin(_ exchange: PeerExchange, deadline: NIODeadline?, in reference: Reference) -> Bool {
        guard !isClosed else {
            exchange.finish(.lost(ChannelError.alreadyClosed))
            return true
        }
        guard exchange.place(in: reference) else { return true }
        if let connection = connections.first(where: \.hasRoom) {
            add(exchange, deadline, connection)
            connection.begin(exchange)
            return true
        }
        if waiting.count >= connecting * configuration.streamsPerConnection {
            let usable = connections.count { !$0.isRetired }
            guard usable + connecting < connectionsMax, connections.count + connecting < connectionsMax * Self.retiredFactor else {
                return false
            }
            connect()
        }
        add(exchange, deadline, nil)
        waiting.append(exchange)
        return true
    }

    private func add(_ exchange: PeerExchange, _ deadline: NIODeadline?, _ connection: PeerConnection?) {
        places[ObjectIdentifier(exchange)] = Place(connection: connection, exchange: exchange, deadline: deadline, begun: .now())
        if let deadline { expectLook(at: deadline) }
    }

    private func forget(_ exchange: PeerExchange) {
        places[ObjectIdentifier(exchange)] = nil
    }

    /// The exchange is over for its asker.
    func drop(_ exchange: PeerExchange) {
        guard let place = places[ObjectIdentifier(exchange)] else { return }
        place.connection?.drop(exchange)
        forget(exchange)
    }

    func grant(_ byteCount: Int, to exchange: PeerExchange) {
        places[ObjectIdentifier(exchange)]?.connection?.grant(byteCount, to: exchange)
    }

    private func expectLook(at deadline: NIODeadline) {
        if let look {
            guard deadline < look.at else { return }
            look.task.cancel()
        }
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline + Self.tick) { [self] in
            look = nil
            expire()
        }
        look = (deadline, task)
    }

    /// O(exchanges), about as often as deadlines come.
    private func expire() {
        let now = NIODeadline.now()
        var next: NIODeadline?
        for (key, place) in Array(places) {
            guard let deadline = place.deadline else { continue }
            guard deadline <= now else {
                next = min(next ?? deadline, deadline)
                continue
            }
            guard place.exchange.expire() || place.exchange.isOver else {
                // Only its head had to come by then.
                places[key]?.deadline = nil
                continue
            }
            drop(place.exchange)
            // One that has said nothing for the whole time of a call may be dead, which TCP takes a quarter of an hour to find.
            if let connection = place.connection, connection.heardAt < place.begun { connection.retire() }
        }
        if let next { expectLook(at: next) }
    }

    private func watchIdleness() {
        guard !isWatchingIdleness else { return }
        isWatchingIdleness = true
        eventLoop.assumeIsolated().scheduleTask(in: configuration.idleTimeout) { [self] in
            isWatchingIdleness = false
            let since = NIODeadline.now() - configuration.idleTimeout
            for connection in connections where connection.streamCount == 0 && connection.idleSince <= since { connection.retire() }
            if !connections.isEmpty { watchIdleness() }
        }
    }

    // MARK: Connections

    private func connect() {
        connecting += 1
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        let made = ClientBootstrap(group: eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try me.value.configure(channel) }
            }
            .connect(host: configuration.host, port: configuration.port)
        made.whenFailure { error in me.value.failed(error) }
    }

    /// The pipeline until the handshake is done: TLS, and who waits for its end.
    private func configure(_ channel: any Channel) throws {
        let handlers = channel.pipeline.syncOperations
        try handlers.addHandler(NIOSSLClientHandler(context: try tls.get(), serverHostname: configuration.name))
        try handlers.addHandler(RecordWriter())
        try handlers.addHandler(
            PeerHandshake(timeout: configuration.connectTimeout) { [self] result in
                do {
                    try result.get()
                    try verify(channel)
                    try establish(channel)
                } catch {
                    failed(error)
                    channel.close(promise: nil)
                }
            })
    }

    private func establish(_ channel: any Channel) throws {
        guard !isClosed else { throw ChannelError.alreadyClosed }
        let connection = PeerConnection(
            streamsMax: configuration.streamsPerConnection,
            events: .init(
                ended: { [weak self] exchange in self?.forget(exchange) },
                closed: { [weak self] connection in self?.connections.removeAll { $0 === connection } },
                silent: { [weak self] in self?.onSilence() }))
        var http2 = NIOHTTP2Handler.ConnectionConfiguration()
        http2.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .initialWindowSize, value: PeerTransport.streamWindowBytes),
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.headBytesMax),
        ]
        http2.maximumRecentlyResetStreams = configuration.streamsPerConnection
        http2.maximumConnectionGlitches = PeerStreams.glitchesMax
        let handlers = channel.pipeline.syncOperations
        try handlers.addHandler(
            NIOHTTP2Handler(mode: .client, connectionConfiguration: http2, streamConfiguration: PeerStreams.configuration))
        try handlers.addHandler(PeerKeepAlive(limit: configuration.silenceMax))
        try handlers.addHandler(connection)
        connecting -= 1
        connections.append(connection)
        watchIdleness()
        connection.grantConnectionWindow()
        while connection.hasRoom, let exchange = waiting.popFirst() {
            // It may have been dropped meanwhile.
            guard !exchange.isOver, places[ObjectIdentifier(exchange)] != nil else { continue }
            places[ObjectIdentifier(exchange)]?.connection = connection
            connection.begin(exchange)
        }
        if connecting == 0 { refuseWaiting(.full) }
    }

    private func failed(_ error: any Error) {
        connecting -= 1
        if connecting == 0 { refuseWaiting(.lost(NotConnected(error))) }
    }

    private func refuseWaiting(_ failure: RegionClient.Failure) {
        let all = waiting
        waiting = CircularBuffer()
        for exchange in all {
            exchange.finish(failure)
            forget(exchange)
        }
    }

    /// What is there takes no new exchange.
    func retireConnections() {
        for connection in connections { connection.retire() }
    }

    func close() {
        isClosed = true
        refuseWaiting(.lost(ChannelError.alreadyClosed))
        for connection in connections { connection.close() }
    }
}

extension PeerLane.Reference {
    func close() async {
        await withCheckedContinuation { continuation in
            perform { lane in
                lane.close()
                continuation.resume()
            }
        }
    }
}
