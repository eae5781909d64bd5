internal import NIOCore

/// Hands what one end of a connection brings to the ``EgressConnection``, as bytes or as parts of HTTP messages.
final class EgressEndHandler<Part>: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Part

    private let end: EgressConnection.End
    private let connection: EgressConnection
    private let receive: (Part) -> Void

    init(_ end: EgressConnection.End, of connection: EgressConnection, receive: @escaping (Part) -> Void) {
        self.end = end
        self.connection = connection
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { receive(unwrapInboundIn(data)) }

    func channelReadComplete(context: ChannelHandlerContext) {
        connection.flush(to: end.other)
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.writabilityChanged(of: end)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent { connection.inputClosed(of: end) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.inactive(end)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.failed(end, error) }
}
