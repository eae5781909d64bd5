public import EngineCore
public import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The way out of one container: an HTTP proxy on a listener that was made inside the container's network namespace, which has no
/// other way out.
///
/// It speaks CONNECT and plain HTTP in absolute form. What the function asks for is looked up here, each address is checked against the
/// function's ``EgressPolicy``, and the connection is made to the address that was checked, never to the name. One request for
/// each connection; the answer closes it.
public final class EgressProxyServer: @unchecked Sendable {
    // SAFETY: everything that changes is touched on `eventLoop` alone, which each entry point asserts or moves to.

    let function: String
    let policy: EgressPolicy
    let limits: EgressLimits
    let eventLoop: any EventLoop
    private let resolver: any EgressResolver
    private let onConnection: @Sendable (EgressRecord) -> Void

    private var listener: (any Channel)?
    /// Where the listener is, which the proxy itself never connects to.
    private var ownAddress: SocketAddress?
    private var connections: [ObjectIdentifier: EgressConnection] = [:]
    private var isOver = false
    private var closing: EventLoopPromise<Void>?
    /// Bytes of the container's life.
    private var sent = 0
    private var received = 0
    private var resolving = 0
    private var waiting: [Lookup] = []

    private struct Lookup {
        let connection: ObjectIdentifier
        let name: String
        let promise: EventLoopPromise<[IPAddress]>
    }

    private init(
        _ function: String, _ policy: EgressPolicy, _ limits: EgressLimits, _ resolver: any EgressResolver, _ eventLoop: any EventLoop,
        _ onConnection: @escaping @Sendable (EgressRecord) -> Void
    ) {
        self.function = function
        self.policy = policy
        self.limits = limits
        self.resolver = resolver
        self.eventLoop = eventLoop
        self.onConnection = onConnection
    }

    /// Serves a container's listener until ``close()``.
    ///
    /// - Parameters:
    ///   - listener: a listening TCP socket. It is taken over, also when the future fails.
    ///   - function: the ARN that stands in the records.
    ///   - eventLoop: where everything of this container runs.
    ///   - onConnection: told each connection at its end, on the event loop; a function can make this happen as often as it likes.
    public static func open(
        _ listener: CInt, for function: String, policy: EgressPolicy, limits: EgressLimits = EgressLimits(),
        resolver: any EgressResolver = SystemEgressResolver.shared, on eventLoop: any EventLoop,
        onConnection: @escaping @Sendable (EgressRecord) -> Void
    ) -> EventLoopFuture<EgressProxyServer> {
        let server = EgressProxyServer(function, policy, limits, resolver, eventLoop, onConnection)
        return ServerBootstrap(group: eventLoop)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_rcvbuf), value: limits.receiveBufferBytes.bytes)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try server.admit(channel) } }
            .withBoundSocket(listener)
            .map { channel in
                server.listener = channel
                server.ownAddress = channel.localAddress
                if server.isOver { channel.close(promise: nil) }
                return server
            }
    }

    /// Closes the listener and every connection. From any thread, as often as one likes; the future succeeds when all are closed.
    @discardableResult
    public func close() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { self.closeAll() }
    }

    private func closeAll() -> EventLoopFuture<Void> {
        if let closing { return closing.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        closing = promise
        isOver = true
        for lookup in waiting { lookup.promise.fail(ChannelError.ioOnClosedChannel) }
        waiting = []
        let closed = connections.values.map { $0.closed }
        for connection in Array(connections.values) { connection.finish(.closed) }
        let listening = listener.map { $0.close().recover { _ in } } ?? eventLoop.makeSucceededVoidFuture()
        EventLoopFuture.andAllComplete(closed + [listening], on: eventLoop).cascade(to: promise)
        return promise.futureResult
    }

    // MARK: Connections

    private func admit(_ channel: any Channel) throws {
        eventLoop.assertInEventLoop()
        guard !isOver, connections.count < 2 * limits.connectionsMax else {
            if !isOver { record(unanswered()) }
            throw ChannelError.inappropriateOperationForState
        }
        let connection = EgressConnection(self, channel)
        let isOneTooMany = connections.count >= limits.connectionsMax
        connections[ObjectIdentifier(connection)] = connection
        try connection.begin()
        guard isOneTooMany || max(sent, received) >= limits.containerBytesMax.bytes else { return }
        // The channel can be written to once it is registered, which follows in this turn of the loop.
        eventLoop.assumeIsolated().execute { connection.refuse(isOneTooMany ? .tooManyConnections : .containerBytes) }
    }

    private func unanswered() -> EgressRecord {
        var record = EgressRecord(function: function)
        record.verdict = .tooManyConnections
        return record
    }

    func remove(_ connection: EgressConnection, _ record: EgressRecord) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        self.record(record)
    }

    private func record(_ record: EgressRecord) { onConnection(record) }

    /// Adds to the bytes of the container's life.
    ///
    /// - Returns: whether they are still within its limit.
    func count(sent: Int = 0, received: Int = 0) -> Bool {
        self.sent += sent
        self.received += received
        return max(self.sent, self.received) <= limits.containerBytesMax.bytes
    }

    /// Whether that is this proxy itself.
    func isOwn(_ address: IPAddress, port: Int) -> Bool { port == ownAddress?.port && address == IPAddress(ownAddress) }

    // MARK: Names

    /// Looks a name up, when it is its turn. A look-up that nobody waits for any more keeps its place until it ends, because its
    /// thread does.
    func resolve(_ name: String, for connection: EgressConnection) -> EventLoopFuture<[IPAddress]> {
        let lookup = Lookup(connection: ObjectIdentifier(connection), name: name, promise: eventLoop.makePromise())
        if resolving < limits.resolutionsMax { start(lookup) } else { waiting.append(lookup) }
        return lookup.promise.futureResult
    }

    /// Gives up the connection's turn if it has not come yet.
    func cancelResolution(for connection: EgressConnection) {
        let id = ObjectIdentifier(connection)
        guard let index = waiting.firstIndex(where: { $0.connection == id }) else { return }
        waiting.remove(at: index).promise.fail(ChannelError.ioOnClosedChannel)
    }

    private func start(_ lookup: Lookup) {
        resolving += 1
        resolver.addresses(of: lookup.name, on: eventLoop).hop(to: eventLoop).assumeIsolated().whenComplete { result in
            self.resolving -= 1
            if !self.waiting.isEmpty { self.start(self.waiting.removeFirst()) }
            lookup.promise.completeWith(result)
        }
    }
}
