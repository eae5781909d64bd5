import NIOCore
import NIOTLS

/// Waits for the end of a connection's handshake, tells it once, and leaves the pipeline.
final class PeerHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    struct ProtocolMismatch: Error, CustomStringConvertible {
        let description = "The other side does not speak HTTP/2. Check its address."
    }

    private let timeout: TimeAmount
    private var done: ((Result<Void, any Error>) -> Void)?
    private var timer: Scheduled<Void>?

    init(timeout: TimeAmount, done: @escaping (Result<Void, any Error>) -> Void) {
        self.timeout = timeout
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in
            end(.failure(ChannelError.connectTimeout(timeout)))
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        guard case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent else { return }
        end(negotiated == "h2" ? .success(()) : .failure(ProtocolMismatch()))
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.failure(error)) }

    func channelInactive(context: ChannelHandlerContext) {
        end(.failure(ChannelError.eof))
        context.fireChannelInactive()
    }

    private func end(_ result: Result<Void, any Error>) {
        timer?.cancel()
        let tell = done
        done = nil
        tell?(result)
    }
}
