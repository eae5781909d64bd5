import NIOCore
import Synchronization

/// Notices that a client has gone while its request is being worked on, and cancels the work.
///
/// A server learns of it as the end of its input. The way the web framework offers, a second task that waits for that end, gives
/// up the connection after every request; so a handler in each pipeline listens for it instead, and a request costs two short
/// locks. A client that closes only its sending side while it waits is taken to have gone, too: the two look the same.
final class ClientConnections: Sendable {
    private let open = Mutex<[ObjectIdentifier: ClientConnection]>([:])

    /// For the pipeline of every new connection or stream.
    func makeHandler() -> ClientConnectionHandler { ClientConnectionHandler(self) }

    /// Runs `work`, whose task is cancelled when the client of `channel` goes away.
    func cancellingWhenGone<Value: Sendable>(_ channel: any Channel, _ work: () async -> Value) async -> Value {
        let connection = cancelWhenGone(channel)
        defer { connection?.end() }
        return await work()
    }

    /// The current task is cancelled when the client of `channel` goes away, until `end` is called, by that task.
    func cancelWhenGone(_ channel: any Channel) -> ClientConnection? {
        let connection = open.withLock { $0[ObjectIdentifier(channel)] }
        if let connection { withUnsafeCurrentTask { connection.begin($0.map(CancellableTask.init)) } }
        return connection
    }

    var count: Int { open.withLock { $0.count } }

    fileprivate func add(_ channel: any Channel) -> ClientConnection {
        let connection = ClientConnection()
        open.withLock { $0[ObjectIdentifier(channel)] = connection }
        return connection
    }

    fileprivate func remove(_ channel: any Channel) {
        open.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}

/// One connection (HTTP/1.1) or stream (HTTP/2).
final class ClientConnection: Sendable {
    /// Set before the lock is taken: cancelling closes the connection, which may come back here on the same thread.
    private let isGone = Atomic(false)
    private let running = Mutex<CancellableTask?>(nil)

    fileprivate func begin(_ task: CancellableTask?) {
        running.withLock { running in
            running = task
            if isGone.load(ordering: .acquiring) { task?.cancel() }
        }
    }

    func end() { running.withLock { $0 = nil } }

    fileprivate func close() {
        guard !isGone.exchange(true, ordering: .acquiringAndReleasing) else { return }
        running.withLock { $0?.cancel() }
    }
}

/// The task of a running call.
private struct CancellableTask: @unchecked Sendable {
    // SAFETY: the reference is used only to cancel, which any thread may do, and only under the lock of its connection between
    // `begin` and `end`. Both are called by the very task it stands for, which is therefore alive meanwhile.
    private let task: UnsafeCurrentTask

    init(_ task: UnsafeCurrentTask) { self.task = task }

    func cancel() { task.cancel() }
}

/// Listens for the end of a connection's input.
final class ClientConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let connections: ClientConnections
    private var connection: ClientConnection?

    fileprivate init(_ connections: ClientConnections) { self.connections = connections }

    func handlerAdded(context: ChannelHandlerContext) { connection = connections.add(context.channel) }

    func handlerRemoved(context: ChannelHandlerContext) {
        connections.remove(context.channel)
        connection?.close()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection?.close()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { connection?.close() }
        context.fireUserInboundEventTriggered(event)
    }
}
