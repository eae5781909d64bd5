internal import NIOCore
internal import NIOHTTP1

/// What becomes of a request's body.
enum RuntimeAPIBodyUse: Equatable {
    /// It is of no use, whatever it is: none of it is kept.
    case none
    /// It is kept whole; one that is longer is too large, and refused.
    case keep(bytesMax: Int)
    /// It is handed on while it comes, however long it is.
    case stream
}

/// One connection of a runtime to its Runtime API: HTTP messages ↔ requests and answers, one at a time.
///
/// A runtime may send its next request behind an answer without waiting (pipelining); only a request behind one that is still
/// waiting for its answer, or whose answer has not been read, ends the connection, for no runtime has a use for it. A body is kept
/// only where the server has said so at the request's head; all others are read and dropped. What is written while a read is
/// handled is flushed at its end, and kept back if the runtime asks for the next event already: then it leaves together with that
/// event, and the runtime is woken once.
final class RuntimeAPIConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let server: RuntimeAPIServer
    private let channel: any Channel
    private var head: HTTPRequestHead?
    private var request: RuntimeAPIRequest?
    private var bodyUse = RuntimeAPIBodyUse.none
    private(set) var body = ByteBuffer()
    private var received = 0
    /// Beyond that many bytes the request is refused as too large.
    private var receivedMax: Int {
        switch bodyUse {
        case .none: RuntimeLimits.responseMax
        case .keep(let bytesMax): bytesMax
        case .stream: .max
        }
    }
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
        guard self.head == nil, isWritable else { return context.close(promise: nil) }
        self.head = head
        let request = RuntimeAPIRequest(head.method, uri: head.uri)
        self.request = request
        bodyUse = server.bodyUse(request, head.headers, from: self)
        received = 0
        // curl asks before it sends more than 1 MiB, and without an answer waits a whole second.
        guard head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) else { return }
        context.writeAndFlush(wrapOutboundOut(RuntimeAPIAnswer.continuation), promise: nil)
    }

    private func append(_ part: ByteBuffer, _ context: ChannelHandlerContext) {
        let before = received
        received += part.readableBytes
        if bodyUse == .stream {
            server.takePart(part, from: self)
        } else if received <= receivedMax {
            guard bodyUse != .none else { return }
            if body.readableBytes == 0 { body = part } else { body.writeImmutableBuffer(part) }
        } else if before <= receivedMax, bodyUse != .none {
            // The caller need not wait for the rest.
            body = ByteBuffer()
            server.takeTooLarge(request, from: self)
        } else if received > RuntimeLimits.discardMax {
            context.close(promise: nil)
        }
    }

    private func finish(_ trailers: HTTPHeaders?, _ context: ChannelHandlerContext) {
        guard let head else { return }
        guard received <= receivedMax else { return send(.tooLarge(receivedMax)) }
        let whole = bodyUse == .none ? nil : body
        // An idle connection holds no memory.
        body = ByteBuffer()
        server.take(request, headers: head.headers, body: whole, trailers: trailers, from: self)
    }

    /// Whether more is read of what the runtime sends. On the event loop.
    func setReading(_ isWanted: Bool) {
        // Fails for a channel that is closed, which reads nothing anyway.
        try? channel.syncOptions?.setOption(.autoRead, value: isWanted)
    }

    /// Answers the request that came last. On the event loop.
    func send(_ answer: RuntimeAPIAnswer) {
        guard let head else { return }
        self.head = nil
        let (first, body) = answer.bytes(for: head, allocator: channel.allocator)
        if body != nil { channel.write(first, promise: nil) }
        let last = body ?? first
        guard head.isKeepAlive else {
            channel.writeAndFlush(last).whenComplete { [channel] _ in channel.close(promise: nil) }
            return
        }
        channel.write(last, promise: nil)
        hasUnflushed = true
        if !isReading { flush() }
    }

    /// The socket, when the connection waits for the answer to its request and for nothing else; and whether it stays open behind it.
    func park() -> (socket: CInt, isKeptAlive: Bool)? {
        guard let head, isWritable, !hasUnflushed, !isReading else { return nil }
        let socket = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
        return socket.map { ($0, head.isKeepAlive) }
    }

    /// The connection has asked for its next event in an earlier process.
    func resume(isKeptAlive: Bool) {
        head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/2018-06-01/runtime/invocation/next",
            headers: isKeptAlive ? [:] : ["connection": "close"])
        request = .next
    }

    /// Whether the runtime has read what it was sent, but for less than NIO's high water mark.
    var isWritable: Bool { channel.isWritable }

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
