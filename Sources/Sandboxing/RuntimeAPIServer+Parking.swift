internal import NIOCore
internal import NIOPosix
internal import SystemPackage

// From one process to the next: the listener, and the one connection on which an idle runtime waits for its next event.
//
// A runtime with more connections than that, or with one that is between two requests, is not carried over: bytes of a request may
// have been read here that nobody could read again. The runtimes there are ask for their next event as soon as they have answered.
extension RuntimeAPIServer {
    /// The bit of ``ParkedChannel/state`` that says that the connection stays open behind its answer.
    private static let keptAlive: UInt32 = 1

    func park() -> ParkedChannel? {
        guard isIdle, let listener = descriptor(of: listener), connections.count == asking.count, asking.count <= 1 else { return nil }
        guard let waiting = asking.first else { return ParkedChannel(channel: listener, state: 0) }
        guard let (socket, isKeptAlive) = waiting.park() else { return nil }
        return ParkedChannel(
            channel: listener, connection: SystemPackage.FileDescriptor(rawValue: socket), state: isKeptAlive ? Self.keptAlive : 0)
    }

    /// Takes over a listener and a connection, also when the future fails.
    ///
    /// - Parameter state: what ``park()`` said of them.
    static func open(
        _ listener: SystemPackage.FileDescriptor, resuming connection: SystemPackage.FileDescriptor?, state: UInt32,
        on eventLoop: any EventLoop, onEvent: @escaping @Sendable (RuntimeEvent) -> Void
    ) -> EventLoopFuture<RuntimeAPIServer> {
        open(listener, on: eventLoop, onEvent: onEvent).flatMapErrorThrowing { error in
            // Nobody takes it over any more; a socket is gone after close(2) whatever it answers.
            try? connection?.close()
            throw error
        }.flatMap { server in
            guard let connection else {
                server.resume(nil)
                return eventLoop.makeSucceededFuture(server)
            }
            return ClientBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let waiting = try server.admit(channel)
                        waiting.resume(isKeptAlive: state & Self.keptAlive != 0)
                        server.resume(waiting)
                    }
                }
                .withConnectedSocket(connection.rawValue)
                .map { _ in server }
                .flatMapErrorThrowing { error in
                    server.close()
                    throw error
                }
        }
    }

    private func descriptor(of channel: (any Channel)?) -> SystemPackage.FileDescriptor? {
        let socket = try? channel?.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
        return socket.map { SystemPackage.FileDescriptor(rawValue: $0) }
    }
}
