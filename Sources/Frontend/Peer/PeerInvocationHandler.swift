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
/// Streams that are not its own pass through it, to the multiplexer, which makes a channel for each. What is handed on is given to
/// the multiplexer frame by frame and event by event in the order in which it came.
final class PeerInvocationHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private enum Came {
        case frame(HTTP2Frame)
        case event(Any)
    }

    private struct Stream {
        let arrival: EngineInstant
        var came: [Came]
        var body = ByteBuffer()
        var isRunning = false
        /// Ends the call that runs.
        var cancel: (@Sendable () -> Void)?
    }

    private let path: PeerInvocations
    private var streams: [HTTP2StreamID: Stream] = [:]
    /// Of the node at the other end; `nil` until its first request.
    private var certificate: NIOSSLCertificate?
    private var isReading = false
    private var isFlushScheduled = false

    init(_ path: PeerInvocations) { self.path = path }

    // MARK: From the wire

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        let frame = unwrapInboundIn(data)
        guard streams[frame.streamID] == nil else { return took(frame, context) }
        if case .headers(let content) = frame.payload, !content.endStream, path.isCandidate(content.headers) {
            streams[frame.streamID] = Stream(arrival: .now(), came: [.frame(frame)])
        } else {
            context.fireChannelRead(data)
        }
    }

    private func took(_ frame: HTTP2Frame, _ context: ChannelHandlerContext) {
        // Nothing that comes while it runs is for anybody.
        guard streams[frame.streamID]?.isRunning == false else { return }
        guard case .data(let content) = frame.payload, case .byteBuffer(let part) = content.data else {
            streams[frame.streamID]?.came.append(.frame(frame))
            if case .headers(let trailers) = frame.payload, trailers.endStream {
                handOn(frame.streamID, context)
            }
            return
        }
        streams[frame.streamID]?.came.append(.frame(frame))
        if streams[frame.streamID]?.body.readableBytes == 0 {
            streams[frame.streamID]?.body = part
        } else {
            streams[frame.streamID]?.body.writeImmutableBuffer(part)
        }
        if content.endStream { begin(frame.streamID, context) }
    }

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
            streams.removeValue(forKey: number)?.cancel?()
        } else if event is NIOHTTP2StreamCreatedEvent {
            streams[number]?.came.append(.event(event))
        }
        // Of windows nobody is told: a stream is handed on when it has come to its end, where none is to be opened any more.
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        context.fireChannelReadComplete()
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let all = streams.values
        streams = [:]
        for stream in all { stream.cancel?() }
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
        guard let begin = path.services.begin, let shown = shown(context), let invocation = path.call(&body, from: shown),
            let prepared = path.prepare(invocation, payload: body, arrival: stream.arrival)
        else { return handOn(number, context) }
        // Before it begins: it may be over before `begin` returns.
        streams[number]?.isRunning = true
        streams[number]?.came = []
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

    private func handOn(_ number: HTTP2StreamID, _ context: ChannelHandlerContext) {
        guard let stream = streams.removeValue(forKey: number) else { return }
        for came in stream.came {
            switch came {
            case .frame(let frame): context.fireChannelRead(wrapInboundOut(frame))
            case .event(let event): context.fireUserInboundEventTriggered(event)
            }
        }
        if !isReading { context.fireChannelReadComplete() }
    }
}
