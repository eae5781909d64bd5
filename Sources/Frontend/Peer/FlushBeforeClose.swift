import NIOCore
import NIOSSL

/// Sends what has been written on a connection before the connection is closed.
///
/// The server's connection manager closes a connection that is shutting down as soon as its last stream has ended, when the
/// last frames of that stream's answer have been written but not flushed; without this handler they are lost.
final class FlushBeforeClose: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private static let name = "wayside.flush-before-close"

    /// Adds the handler next to TLS, unless it is there.
    /// - Precondition: on the event loop of the connection.
    static func install(on connection: any Channel) throws {
        let pipeline = connection.pipeline.syncOperations
        guard (try? pipeline.context(name: name)) == nil else { return }
        let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
        try pipeline.addHandler(FlushBeforeClose(), name: name, position: .after(tls))
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        context.flush()
        context.close(mode: mode, promise: promise)
    }
}
