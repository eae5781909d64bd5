import NIOCore
import NIOPosix
import Testing

/// One end of a TCP connection that a test drives by hand: a function's, or a target's.
final class RawPeer: Sendable {
    struct Gone: Error {}

    let channel: any Channel
    private let inbox: NIOLoopBound<Inbox>

    /// Sets up a channel before it is active; on its event loop.
    init(_ channel: any Channel) throws {
        self.channel = channel
        let inbox = Inbox()
        try channel.pipeline.syncOperations.addHandler(inbox)
        let bound = NIOLoopBound(inbox, eventLoop: channel.eventLoop)
        self.inbox = bound
        // Also for a channel that was closed before there was anybody to be told.
        channel.closeFuture.whenComplete { _ in bound.value.end() }
    }

    static func connect(port: Int, autoRead: Bool = true) async throws -> RawPeer {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: autoRead)
            .connect(host: "127.0.0.1", port: port)
            .flatMapThrowing { try RawPeer($0) }
            .get()
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }
    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }
    /// Sends without waiting until it has been taken.
    func begin(sending bytes: ByteBuffer) -> EventLoopFuture<Void> { channel.writeAndFlush(bytes) }
    func halfClose() async throws { try await channel.close(mode: .output) }

    /// Closes it, unless the other end was quicker.
    func close() async throws {
        do {
            try await channel.close()
        } catch ChannelError.alreadyClosed {
            // Which is what was wanted.
            return
        }
    }

    /// Waits until what has come holds `mark`, and takes everything up to its end.
    func receive(through mark: String) async throws -> String {
        let bytes = try await wait { buffer, _ in
            let view = buffer.readableBytesView
            guard let range = view.firstRange(of: mark.utf8) else { return nil }
            return buffer.readSlice(length: range.upperBound - view.startIndex)
        }
        return String(buffer: bytes)
    }

    func receive(count: Int) async throws -> ByteBuffer {
        try await wait { buffer, _ in buffer.readSlice(length: count) }
    }

    /// Waits for the end, and takes everything before it.
    func receiveAll() async throws -> String {
        let bytes = try await wait { buffer, isOver in isOver ? buffer.readSlice(length: buffer.readableBytes) : nil }
        return String(buffer: bytes)
    }

    /// A future knows nothing of tasks: without the handler a test that waits in vain would go on after its time limit, for ever.
    private func wait(_ take: @escaping @Sendable (inout ByteBuffer, _ isOver: Bool) -> ByteBuffer?) async throws -> ByteBuffer {
        try await withTaskCancellationHandler {
            try await channel.eventLoop.flatSubmit { [channel, inbox] in
                let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
                inbox.value.wait(take, promise)
                return promise.futureResult
            }.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private final class Inbox: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias Take = (inout ByteBuffer, _ isOver: Bool) -> ByteBuffer?

        private var buffer = ByteBuffer()
        private var isOver = false
        private var waiter: (take: Take, promise: EventLoopPromise<ByteBuffer>)?

        func wait(_ take: @escaping Take, _ promise: EventLoopPromise<ByteBuffer>) {
            waiter = (take, promise)
            settle()
        }

        func end() {
            isOver = true
            settle()
        }

        private func settle() {
            guard let (take, promise) = waiter else { return }
            if let bytes = take(&buffer, isOver) {
                waiter = nil
                promise.succeed(bytes)
            } else if isOver {
                waiter = nil
                promise.fail(Gone())
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            buffer.writeImmutableBuffer(unwrapInboundIn(data))
            settle()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard case .inputClosed = event as? ChannelEvent else { return }
            isOver = true
            settle()
        }

        func channelInactive(context: ChannelHandlerContext) {
            isOver = true
            settle()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// A listener on loopback whose connections a test drives by hand.
final class RawTarget: Sendable {
    let port: Int
    private let channel: any Channel
    private let peers: AsyncStream<RawPeer>

    init() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: RawPeer.self)
        peers = stream
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { _ = continuation.yield(try RawPeer(channel)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = try #require(channel.localAddress?.port)
    }

    func accept() async throws -> RawPeer {
        for await peer in peers { return peer }
        throw RawPeer.Gone()
    }

    deinit { channel.close(promise: nil) }
}
