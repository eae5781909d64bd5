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
    /// Whose share of the node the container uses.
    private let account: String
    private let shares: EgressShares
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
    /// The account's look-ups are all taken, and this container is in their queue.
    private var isQueued = false

    private struct Lookup {
        let connection: ObjectIdentifier
        let name: String
        let promise: EventLoopPromise<[IPAddress]>
    }

    private init(
        _ function: String, _ policy: EgressPolicy, _ limits: EgressLimits, _ shares: EgressShares, _ resolver: any EgressResolver,
        _ eventLoop: any EventLoop, _ onConnection: @escaping @Sendable (EgressRecord) -> Void
    ) {
        self.function = function
        account = EgressShares.account(of: function)
        self.shares = shares
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
    ///   - function: the ARN that stands in the records, and names the account.
    ///   - shares: what the container shares with all others of the node.
    ///   - eventLoop: where everything of this container runs.
    ///   - onConnection: told each connection at its end, on the event loop; a function can make this happen as often as it likes.
    public static func open(
        _ listener: CInt, for function: String, policy: EgressPolicy, limits: EgressLimits = EgressLimits(),
        shares: EgressShares = .shared, resolver: any EgressResolver = SystemEgressResolver.shared, on eventLoop: any EventLoop,
        onConnection: @escaping @Sendable (EgressRecord) -> Void
    ) -> EventLoopFuture<EgressProxyServer> {
        let server = EgressProxyServer(function, policy, limits, shares, resolver, eventLoop, onConnection)
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
        shares.withdraw(ObjectIdentifier(self), of: account)
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
        var refusal: (verdict: EgressRecord.Verdict, detail: String)?
        if connections.count >= limits.connectionsMax {
            refusal = (.tooManyConnections, "the function's container has \(limits.connectionsMax), all that it may")
        } else if max(sent, received) >= limits.containerBytesMax.bytes {
            refusal = (.containerBytes, "")
        }
        let admission = shares.admit(account, nodeMax: limits.nodeConnectionsMax, isRefused: refusal != nil)
        switch admission {
        case .served: break
        case .refused(.account): refusal = refusal ?? (.tooManyConnections, "the functions of the account have all that they may")
        case .refused(.node): refusal = refusal ?? (.tooManyConnections, "the node has all that it may; try again")
        case .unanswered:
            record(unanswered())
            throw ChannelError.inappropriateOperationForState
        }
        let connection = EgressConnection(self, channel, admission == .served ? .served : .answered)
        connections[ObjectIdentifier(connection)] = connection
        do {
            try connection.begin()
        } catch {
            connection.finish(.clientGone)
            throw error
        }
        guard let refusal else { return }
        // The channel can be written to once it is registered, which follows in this turn of the loop.
        eventLoop.assumeIsolated().execute { connection.refuse(refusal.verdict, refusal.detail) }
    }

    private func unanswered() -> EgressRecord {
        var record = EgressRecord(function: function)
        record.verdict = .tooManyConnections
        return record
    }

    func remove(_ connection: EgressConnection, _ record: EgressRecord) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        shares.leave(connection.place, of: account)
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

    /// Looks a name up, when it is its turn among those of its container and of its account. A look-up that nobody waits for any more
    /// keeps its place until it ends, because its thread does.
    func resolve(_ name: String, for connection: EgressConnection) -> EventLoopFuture<[IPAddress]> {
        let lookup = Lookup(connection: ObjectIdentifier(connection), name: name, promise: eventLoop.makePromise())
        waiting.append(lookup)
        startLookups()
        return lookup.promise.futureResult
    }

    /// Gives up the connection's turn if it has not come yet.
    func cancelResolution(for connection: EgressConnection) {
        let id = ObjectIdentifier(connection)
        guard let index = waiting.firstIndex(where: { $0.connection == id }) else { return }
        waiting.remove(at: index).promise.fail(ChannelError.ioOnClosedChannel)
    }

    private func startLookups() {
        while !isQueued, resolving < limits.resolutionsMax, !waiting.isEmpty {
            let eventLoop = eventLoop
            let hasTurn = shares.takeLookup(of: account, for: ObjectIdentifier(self)) { eventLoop.execute { self.turnCame() } }
            if hasTurn { start(waiting.removeFirst()) } else { isQueued = true }
        }
    }

    /// The account has handed a look-up over. Those that waited for it may have gone meanwhile.
    private func turnCame() {
        isQueued = false
        if waiting.isEmpty { shares.endLookup(of: account) } else { start(waiting.removeFirst()) }
        startLookups()
    }

    private func start(_ lookup: Lookup) {
        resolving += 1
        resolver.addresses(of: lookup.name, on: eventLoop).hop(to: eventLoop).assumeIsolated().whenComplete { result in
            self.resolving -= 1
            self.shares.endLookup(of: self.account)
            self.startLookups()
            lookup.promise.completeWith(result)
        }
    }
}
