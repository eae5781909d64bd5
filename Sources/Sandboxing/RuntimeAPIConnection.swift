internal import NIOCore
internal import NIOHTTP1

/// One connection of a runtime to its Runtime API: HTTP messages ↔ requests and answers, one at a time.
final class RuntimeAPIConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: RuntimeAPIServer
    private let channel: any Channel
    private var head: HTTPRequestHead?
    private var request: RuntimeAPIRequest?
    private var body = ByteBuffer()
    private var received = 0

    init(_ server: RuntimeAPIServer, _ channel: any Channel) {
        self.server = server
        self.channel = channel
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let part): append(part, context)
        case .end(let trailers): finish(trailers, context)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.head = head
        request = RuntimeAPIRequest(head.method, uri: head.uri)
        body = ByteBuffer()
        received = 0
        // curl asks before it sends more than 1 MiB, and without an answer waits a whole second.
        guard head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
    }

    private func append(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
        let before = received
        received += part.readableBytes
        if received <= RuntimeLimits.responseMax {
            if body.readableBytes == 0 { body = part } else { body.writeImmutableBuffer(part) }
        } else if before <= RuntimeLimits.responseMax {
            // The caller need not wait for the rest.
            body = ByteBuffer()
            server.takeTooLarge(request)
        } else if received > RuntimeLimits.discardMax {
            context.close(promise: nil)
        }
    }

    private func finish(_ trailers: HTTPHeaders?, _ context: ChannelHandlerContext) {
        guard let head else { return }
        guard received <= RuntimeLimits.responseMax else { return send(.tooLarge) }
        let whole = body
        body = ByteBuffer()
        server.take(request, headers: head.headers, body: whole, trailers: trailers, from: self)
    }

    /// Answers the request that came last. On the event loop.
    func send(_ answer: RuntimeAPIAnswer) {
        guard let head else { return }
        self.head = nil
        var response = HTTPResponseHead(version: head.version, status: answer.status, headers: answer.headers)
        response.headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.readableBytes)")
        if !head.isKeepAlive { response.headers.replaceOrAdd(name: "Connection", value: "close") }
        channel.write(HTTPServerResponsePart.head(response), promise: nil)
        if answer.body.readableBytes > 0 { channel.write(HTTPServerResponsePart.body(.byteBuffer(answer.body)), promise: nil) }
        let sent = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if !head.isKeepAlive { sent.whenComplete { [channel] _ in channel.close(promise: nil) } }
    }

    func close() {
        channel.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.remove(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What is not HTTP has been answered with 400 before it comes here; a reset is an end like any other.
        context.close(promise: nil)
    }
}
