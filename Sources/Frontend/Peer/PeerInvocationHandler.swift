import EngineCore
import NIOCore
import NIOHTTP2
import NIOSSL
import RegionForwarding

/// Answers forwarded calls on the connection's own event loop, as ``InvocationHandler`` does for clients.
///
///     (new stream) ──head of a small invocation──► collecting ──end──► running ──answered──► (closed)
///          │                                           └── not at hand, not in order ──┐
///          └──any other head──► passing ◄────────────── all that came of it ───────────┘
///
/// Streams that are not its own pass through it, to the multiplexer, which makes a channel for each. A stream that is handed on comes
/// there as its head, one frame of all that came of its body, and what follows.
final class PeerInvocationHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private struct Stream {
        let arrival: EngineInstant
        let sender: NodeCertificate
        let head: HTTP2Frame
        var created: NIOHTTP2StreamCreatedEvent?
        var body = ByteBuffer()
        var held: HeldBody
        var isRunning = false
        /// Ends the call that runs.
        var cancel: (@Sendable () -> Void)?
    }

    /// Bytes of bodies that one connection may have here before they are whole. Beyond, they are handed on as they come.
    private static let collectedBytesMax = 16 << 20

    private let path: PeerInvocations
    private var streams: [HTTP2StreamID: Stream] = [:]
    /// Of the node at the other end; `nil` until its first request.
    private var certificate: NIOSSLCertificate?
    private var collectedBytes = 0
    private var isReading = false
    private var isFlushScheduled = false

    init(_ path: PeerInvocations) { self.path = path }

    // MARK: From the wire

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        let frame = unwrapInboundIn(data)
        guard streams[frame.streamID] == nil else { return took(frame, context) }
        if case .headers(let content) = frame.payload, !content.endStream, let sender = shown(context).flatMap(path.sender),
            path.isCandidate(content.headers, from: sender)
        {
            streams[frame.streamID] = Stream(arrival: .now(), sender: sender, head: frame, held: HeldBody(path.services.bodies))
        } else {
            context.fireChannelRead(data)
        }
    }

    private func took(_ frame: HTTP2Frame, _ context: ChannelHandlerContext) {
        // Nothing that comes while it runs is for anybody.
        guard streams[frame.streamID]?.isRunning == false else { return }
        switch frame.payload {
        case .data(let content):
            guard case .byteBuffer(let part) = content.data else { return }
            collectedBytes += part.readableBytes
            if streams[frame.streamID]?.body.readableBytes == 0 {
                streams[frame.streamID]?.body = part
            } else {
                streams[frame.streamID]?.body.writeImmutableBuffer(part)
            }
            if collectedBytes > Self.collectedBytesMax && !content.endStream || !hasRoom(frame.streamID) {
                handOn(frame.streamID, isWhole: content.endStream, context)
            } else if content.endStream {
                begin(frame.streamID, context)
            }
        case .headers(let trailers) where trailers.endStream:
            handOn(frame.streamID, isWhole: false, context)
            context.fireChannelRead(wrapInboundOut(frame))
        default: break
        }
    }

    /// Where there is none, whoever the stream is handed to says so.
    private func hasRoom(_ number: HTTP2StreamID) -> Bool {
        guard let byteCount = streams[number]?.body.readableBytes else { return false }
        do throws(InvocationError) { try streams[number]?.held.grow(to: byteCount) } catch { return false }
        return true
    }

    /// The stream's body is collected here no longer.
    private func uncollect(_ stream: Stream) { collectedBytes -= stream.body.readableBytes }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let number: HTTP2StreamID? =
            switch event {
            case let event as NIOHTTP2StreamCreatedEvent: event.streamID
            case let event as NIOHTTP2WindowUpdatedEvent: event.streamID
            case let event as StreamClosedEvent: event.streamID
            default: nil
            }
        guard let number, streams[number] != nil else { return context.fireUserInboundEventTriggered(event) }
        if event is StreamClosedEvent {
            // The answer has been written, or the sender has gone.
            guard var stream = streams.removeValue(forKey: number) else { return }
            uncollect(stream)
            stream.held.release()
            stream.cancel?()
        } else if let event = event as? NIOHTTP2StreamCreatedEvent {
            streams[number]?.created = event
        }
        // Of windows nobody is told here: who is handed a stream that has not come to its end hears of them with what follows.
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        context.fireChannelReadComplete()
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let all = streams.values
        streams = [:]
        for var stream in all {
            stream.held.release()
            stream.cancel?()
        }
        context.fireChannelInactive()
    }

    /// Its handshake has verified it.
    private func shown(_ context: ChannelHandlerContext) -> NIOSSLCertificate? {
        if certificate == nil { certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate() }
        return certificate
    }

    // MARK: Calls

    private func begin(_ number: HTTP2StreamID, _ context: ChannelHandlerContext) {
        guard let stream = streams[number] else { return }
        var body = stream.body
        guard let begin = path.services.begin, let invocation = path.call(&body, from: stream.sender),
            let prepared = path.prepare(invocation, payload: body, arrival: stream.arrival)
        else { return handOn(number, isWhole: true, context) }
        // Before it begins: it may be over before `begin` returns.
        streams[number]?.isRunning = true
        uncollect(stream)
        streams[number]?.body = ByteBuffer()
        let eventLoop = context.eventLoop
        let me = NIOLoopBound((self, context, prepared), eventLoop: eventLoop)
        path.services.reports?.received(prepared.identity, running: prepared.version, now: prepared.request.arrival)
        let cancel = begin(prepared.request) { result in
            if eventLoop.inEventLoop {
                me.value.0.finish(number, me.value.2, result, me.value.1)
            } else {
                eventLoop.execute { me.value.0.finish(number, me.value.2, result, me.value.1) }
            }
        }
        guard streams[number]?.isRunning == true else { return }
        streams[number]?.cancel = cancel
    }

    private func finish(
        _ number: HTTP2StreamID, _ prepared: PeerInvocations.Prepared, _ result: Result<InvocationResult, InvocationError>,
        _ context: ChannelHandlerContext
    ) {
        guard streams[number]?.isRunning == true else { return }
        if case .success(let result) = result { path.services.reports?.answered(prepared.identity, result.record) }
        streams[number]?.cancel = nil
        streams[number]?.held.release()
        let (head, body) = path.answer(result)
        let frames: [HTTP2Frame.FramePayload] = [
            .headers(.init(headers: head)), .data(.init(data: .byteBuffer(body), endStream: true)),
        ]
        for frame in frames { context.write(wrapOutboundOut(HTTP2Frame(streamID: number, payload: frame)), promise: nil) }
        scheduleFlush(context)
    }

    /// All that is written until the event loop comes round again leaves in one piece.
    private func scheduleFlush(_ context: ChannelHandlerContext) {
        guard !isReading, !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushScheduled = false
            context.flush()
        }
    }

    /// Gives a stream to the multiplexer, with all that came of it.
    private func handOn(_ number: HTTP2StreamID, isWhole: Bool, _ context: ChannelHandlerContext) {
        guard var stream = streams.removeValue(forKey: number) else { return }
        uncollect(stream)
        // Whoever takes it counts it anew.
        stream.held.release()
        context.fireChannelRead(wrapInboundOut(stream.head))
        if let created = stream.created { context.fireUserInboundEventTriggered(created) }
        let body = HTTP2Frame.FramePayload.Data(data: .byteBuffer(stream.body), endStream: isWhole)
        context.fireChannelRead(wrapInboundOut(HTTP2Frame(streamID: number, payload: .data(body))))
        if !isReading { context.fireChannelReadComplete() }
    }
}
