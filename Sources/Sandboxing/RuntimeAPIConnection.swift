internal import NIOCore
internal import NIOHTTP1

/// One connection of a runtime to its Runtime API: HTTP messages ↔ requests and answers, one at a time.
///
/// A runtime may send its next request behind an answer without waiting (pipelining); only a request behind one that is still
/// waiting for its answer ends the connection, for no runtime has a use for it. What is written while a read is handled is
/// flushed at its end, and kept back if the runtime asks for the next event already: then it leaves together with that event,
/// and the runtime is woken once.
final class RuntimeAPIConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let server: RuntimeAPIServer
    private let channel: any Channel
    private var head: HTTPRequestHead?
    private var request: RuntimeAPIRequest?
    private var body = ByteBuffer()
    private var received = 0
    /// Whether bytes of the socket are being handled.
    private var isReading = false
    private var hasUnflushed = false

    init(_ server: RuntimeAPIServer, _ channel: any Channel) {
        self.server = server
        self.channel = channel
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let part): append(part, context)
        case .end(let trailers): finish(trailers, context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        // With a request that waits for its answer, which can only be `next`, the answer will take along what is there.
        if hasUnflushed, head == nil { flush() }
        context.fireChannelReadComplete()
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard self.head == nil else { return context.close(promise: nil) }
        self.head = head
        request = RuntimeAPIRequest(head.method, uri: head.uri)
        body = ByteBuffer()
        received = 0
        // curl asks before it sends more than 1 MiB, and without an answer waits a whole second.
        guard head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) else { return }
        context.writeAndFlush(wrapOutboundOut(RuntimeAPIAnswer.continuation), promise: nil)
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
        let bytes = answer.bytes(for: head, allocator: channel.allocator)
        guard head.isKeepAlive else {
            channel.writeAndFlush(bytes).whenComplete { [channel] _ in channel.close(promise: nil) }
            return
        }
        channel.write(bytes, promise: nil)
        hasUnflushed = true
        if !isReading { flush() }
    }

    private func flush() {
        hasUnflushed = false
        channel.flush()
    }

    func close() {
        channel.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        server.remove(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What is not HTTP has no answer a runtime could use; a reset is an end like any other.
        context.close(promise: nil)
    }
}
