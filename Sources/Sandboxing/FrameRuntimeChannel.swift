internal import CSandboxProtocol
internal import EngineCore
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import SystemPackage

/// Frames over the container's stream socket (`wayside_frames.h`): the built-in runtimes.
///
/// A call is written by the caller's own thread, in one `sendmsg` of header and event, and its answer is read by the event loop
/// in one `read`: no thread is woken only to write. What the socket does not take at once is left to the event loop. Writing needs
/// nothing but the socket, so the runtime can be told its function before the event loop has heard of it.
///
///     booting ──BOOTED──► booted ──(INIT)──► initialising ──READY──► idle ⇄ busy
///        └────(INIT)────────────────────────────────┘ (the runtime reads it once it is up)
///
/// Whatever does not fit the diagram is a violation, after which nothing is read any more.
final class FrameRuntimeChannel: RuntimeChannel {
    private enum Initialisation { case none, sent, done }

    private struct Link {
        /// A second descriptor of the socket, closed under the lock, so that a caller's thread can never write to a number that
        /// the event loop has closed and the kernel has given away again.
        var writer: SystemPackage.FileDescriptor?
        var channel: (any Channel)?
        /// What the socket did not take before there was a channel.
        var pending = ByteBuffer()
        /// Writes that the event loop has not finished; the next must then queue behind them.
        var backlog = 0
        var head = ByteBuffer()
        var sequence: UInt32 = 0
        /// The sequence of the call under way.
        var awaited: UInt32?
        /// Whether its result is being streamed.
        var isStreaming = false
        var isBooted = false
        var initialisation = Initialisation.none
        var isOver = false
        /// By us: nothing is to be told any more.
        var isClosed = false
    }

    private let link: Mutex<Link>
    private let socket: SystemPackage.FileDescriptor
    private let eventLoop: any EventLoop
    private let onEvent: @Sendable (RuntimeEvent) -> Void

    /// Can be written to at once; ``open()`` makes it listen. From any thread.
    ///
    /// - Parameter sequence: of the last call, where an earlier process has left a runtime that is idle; `nil`: it is not booted yet.
    init(
        _ socket: SystemPackage.FileDescriptor, on eventLoop: any EventLoop, resuming sequence: UInt32? = nil,
        onEvent: @escaping @Sendable (RuntimeEvent) -> Void
    ) {
        self.socket = socket
        self.eventLoop = eventLoop
        self.onEvent = onEvent
        // Without one, for want of descriptors, all is written by the event loop.
        let writer = fcntl(socket.rawValue, F_DUPFD_CLOEXEC, 0)
        var new = Link(writer: writer < 0 ? nil : SystemPackage.FileDescriptor(rawValue: writer))
        if let sequence { (new.isBooted, new.initialisation, new.sequence) = (true, .done, sequence) }
        link = Mutex(new)
    }

    /// Takes over the socket, also when the future fails. On the event loop, once.
    func open() -> EventLoopFuture<FrameRuntimeChannel> {
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(FrameReader(self)) }
            }
            .withConnectedSocket(socket.rawValue)
            .map { channel in
                let (isOver, rest) = self.link.withLock { link -> (Bool, Rest?) in
                    link.channel = channel
                    guard link.pending.readableBytes > 0 else { return (link.isOver, nil) }
                    defer { link.pending = ByteBuffer() }
                    return (link.isOver, Rest(channel: channel, bytes: link.pending))
                }
                if isOver { channel.close(promise: nil) } else if let rest { self.finish(rest) }
                return self
            }
    }

    deinit {
        // A socket is gone after close(2) whatever it answers.
        link.withLock { try? $0.writer?.close() }
    }

    func initialise(_ settings: InitialisationSettings) {
        let payload = settings.payload
        let rest = link.withLock { link in
            link.initialisation = .sent
            link.head.clear()
            Frame.writeHeader(.initialise, sequence: 0, length: payload.readableBytes, into: &link.head)
            return Self.send(payload, &link)
        }
        if let rest { finish(rest) }
    }

    func invoke(_ request: InvocationRequest, deadline: Int64) {
        let (fits, rest) = link.withLock { link -> (Bool, Rest?) in
            link.sequence = link.sequence == .max ? 1 : link.sequence + 1
            guard Self.writeInvocation(request, deadline, sequence: link.sequence, into: &link.head) else { return (false, nil) }
            link.awaited = link.sequence
            return (true, Self.send(request.payload, &link))
        }
        if let rest { finish(rest) }
        // This may be any thread, and events belong on the event loop.
        if !fits { eventLoop.execute { self.onEvent(.failed(.callTooLarge)) } }
    }

    /// It reads the next frame when it has written its answer.
    var isWaiting: Bool { link.withLock { !$0.isOver && $0.initialisation == .done && $0.awaited == nil } }

    func park() -> ParkedChannel? {
        link.withLock { link in
            guard let writer = link.writer, !link.isOver, link.initialisation == .done, link.awaited == nil, link.backlog == 0 else {
                return nil
            }
            return ParkedChannel(channel: writer, state: link.sequence)
        }
    }

    func pause() { setReading(false) }
    func resume() { setReading(true) }

    private func setReading(_ isWanted: Bool) {
        // Fails for a channel that is closed, which reads nothing anyway.
        try? link.withLock { $0.channel }?.syncOptions?.setOption(.autoRead, value: isWanted)
    }

    func processEnded() {
        // The other end is closed with the process, so the end of the stream is on its way, behind what was sent before.
    }

    func close() {
        let channel = link.withLock { link in
            (link.isOver, link.isClosed) = (true, true)
            try? link.writer?.close()
            link.writer = nil
            return link.channel
        }
        channel?.close(promise: nil)
    }

    // MARK: Writing

    /// Header, fixed part and strings of an INVOKE; the event follows them.
    ///
    /// - Returns: false when a string or the whole is longer than the wire allows.
    static func writeInvocation(
        _ request: InvocationRequest, _ deadline: Int64, sequence: UInt32, into buffer: inout ByteBuffer
    ) -> Bool {
        let client = request.clientContext ?? ""
        let texts = [request.id.description, request.invokedARN, request.traceID, client]
        let length = MemoryLayout<ws_frame_invoke>.size + texts.reduce(0) { $0 + $1.utf8.count } + request.payload.readableBytes
        guard length <= Frame.payloadMax, texts.allSatisfy({ $0.utf8.count <= Int(UInt16.max) }) else { return false }
        buffer.clear()
        Frame.writeHeader(.invoke, sequence: sequence, length: length, into: &buffer)
        buffer.writeInteger(UInt64(clamping: deadline), endianness: .little)
        for text in texts { buffer.writeInteger(UInt16(text.utf8.count), endianness: .little) }
        for text in texts { buffer.writeString(text) }
        return true
    }

    /// What a socket would not take at once, and the channel that will bring it on its way.
    private struct Rest {
        let channel: any Channel
        let bytes: ByteBuffer
    }

    /// Writes the link's head and `body`, as one.
    ///
    /// - Returns: what is left to be written; by ``finish(_:)``, once the lock is free, because a write may complete at once.
    private static func send(_ body: ByteBuffer, _ link: inout Link) -> Rest? {
        guard !link.isOver else { return nil }
        let total = link.head.readableBytes + body.readableBytes
        var sent = 0
        if link.backlog == 0, let writer = link.writer {
            sent = sendNow(writer, link.head, body)
            // An error other than "not now" is a runtime that is gone; the reading side learns of it and says so.
            guard sent >= 0 || errno == EAGAIN || errno == EINTR else { return nil }
        }
        guard max(0, sent) < total else { return nil }
        var rest = ByteBuffer()
        rest.writeImmutableBuffer(link.head)
        rest.writeImmutableBuffer(body)
        rest.moveReaderIndex(forwardBy: max(0, sent))
        guard let channel = link.channel else {
            // One backlog, however many writes it is made of: the channel will bring it on its way as one.
            if link.pending.readableBytes == 0 { link.backlog += 1 }
            link.pending.writeImmutableBuffer(rest)
            return nil
        }
        link.backlog += 1
        return Rest(channel: channel, bytes: rest)
    }

    private func finish(_ rest: Rest) {
        rest.channel.writeAndFlush(rest.bytes).whenComplete { [weak self] _ in self?.link.withLock { $0.backlog -= 1 } }
    }

    /// One sendmsg(2) of both parts, without waiting and without SIGPIPE.
    private static func sendNow(_ writer: SystemPackage.FileDescriptor, _ head: ByteBuffer, _ body: ByteBuffer) -> Int {
        head.withUnsafeReadableBytes { head in
            body.withUnsafeReadableBytes { body in
                withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                    // SAFETY: the kernel only reads the parts, and both buffers outlive the call.
                    for (index, part) in [head, body].enumerated() {
                        parts.initializeElement(
                            at: index, to: iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count))
                    }
                    var message = msghdr()
                    message.msg_iov = parts.baseAddress
                    message.msg_iovlen = 2
                    return sendmsg(writer.rawValue, &message, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
            }
        }
    }

    // MARK: Reading (on the event loop)

    /// - Returns: false when nothing may follow.
    fileprivate func receive(_ frame: Frame) -> Bool {
        let event: RuntimeEvent? = link.withLock { link in
            guard !link.isOver else { return nil }
            let event = Self.event(for: frame, &link)
            if case .failed(.violation) = event { link.isOver = true }
            return event
        }
        guard let event else { return false }
        onEvent(event)
        if case .failed(.violation) = event { return false }
        return true
    }

    private static func event(for frame: Frame, _ link: inout Link) -> RuntimeEvent {
        switch frame.kind {
        case .booted where !link.isBooted && frame.sequence == 0:
            link.isBooted = true
            return .booted
        case .ready where link.isBooted && link.initialisation == .sent && frame.sequence == 0:
            link.initialisation = .done
            return .ready
        case .error where link.isBooted && link.initialisation == .sent && frame.sequence == 0:
            link.initialisation = .done
            return .initialisationFailed(frame.payload, errorType: ErrorObject.type(in: frame.payload))
        case .stream where frame.sequence == link.awaited && frame.isHead != link.isStreaming:
            link.isStreaming = true
            return frame.isHead ? .streaming(contentType: ContentType.checked(frame.payload)) : .part(frame.payload)
        case .result where frame.sequence == link.awaited && (!link.isStreaming || frame.payload.readableBytes == 0):
            (link.awaited, link.isStreaming) = (nil, false)
            return frame.payload.readableBytes > RuntimeLimits.responseMax
                ? .failed(.answerTooLarge()) : .answered(.success(frame.payload), errorType: nil)
        case .error where frame.sequence == link.awaited:
            (link.awaited, link.isStreaming) = (nil, false)
            return frame.payload.readableBytes > RuntimeLimits.responseMax
                ? .failed(.answerTooLarge(isLast: frame.isLast))
                : .answered(.functionError(frame.payload), errorType: ErrorObject.type(in: frame.payload), isLast: frame.isLast)
        default:
            return .failed(.violation(FrameViolation.unexpected(frame.kind, sequence: frame.sequence).description))
        }
    }

    fileprivate func violated(_ violation: FrameViolation) {
        let wasOver = link.withLock { link in
            defer { link.isOver = true }
            return link.isOver
        }
        if !wasOver { onEvent(.failed(.violation(violation.description))) }
    }

    fileprivate func ended() {
        let isClosed = link.withLock { link in
            try? link.writer?.close()
            link.writer = nil
            return link.isClosed
        }
        if !isClosed { onEvent(.closed) }
    }
}

/// Bytes of the socket → frames.
private final class FrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let runtime: FrameRuntimeChannel
    private var decoder = FrameDecoder()
    private var isOver = false

    init(_ runtime: FrameRuntimeChannel) { self.runtime = runtime }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After a violation the rest is read and dropped until the container is gone.
        guard !isOver else { return }
        var bytes = unwrapInboundIn(data)
        decoder.append(&bytes)
        do throws(FrameViolation) {
            while let frame = try decoder.next() {
                guard runtime.receive(frame) else {
                    isOver = true
                    return
                }
            }
        } catch {
            isOver = true
            runtime.violated(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        runtime.ended()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection reset is an end like any other: the process's exit tells what happened.
        context.close(promise: nil)
    }
}
