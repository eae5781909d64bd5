import NIOCore
import NIOHPACK
import NIOHTTP2

/// One HTTP/2 connection to another node, above the framing: each stream is a ``PeerExchange``.
///
/// ```
/// open ──GOAWAY; nothing heard while a call's time ran out; no stream numbers left──► retired ──last stream ends──► closed
///   │                                                                                                              ▲
///   └──idle for long; silent while calls are under way; the other side closes; an error──────────────────────────┘
/// ```
///
/// One that falls silent has all others to the same node retired: those without a stream would not notice before they had lost a call.
///
/// Streams are entries of a dictionary and not channels of their own: a channel for each costs more than all else a small call needs
/// here. Frames, windows and limits of the protocol are NIOHTTP2's; this handler grants windows, the connection's as bytes come and a
/// stream's as its asker takes them, so that no stream waits for the reader of another.
final class PeerConnection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// Told on the event loop.
    struct Events {
        /// The exchange needs its stream no longer.
        var ended: (PeerExchange) -> Void
        var closed: (PeerConnection) -> Void
        /// The other end has said nothing for too long.
        var silent: () -> Void
    }

    private let events: Events
    private let streamsMax: Int
    private var remoteStreamsMax = Int.max
    private var context: ChannelHandlerContext?
    private var streams: [HTTP2StreamID: PeerExchange] = [:]
    private var numbers: [ObjectIdentifier: HTTP2StreamID] = [:]
    private var nextNumber: Int32 = 1
    private(set) var isRetired = false
    private var isReading = false
    private var isFlushScheduled = false
    private var touched: [(HTTP2StreamID, PeerExchange)] = []
    /// When something came last, and when the last stream ended.
    private(set) var heardAt = NIODeadline.now()
    private(set) var idleSince = NIODeadline.now()

    init(streamsMax: Int, events: Events) {
        self.streamsMax = streamsMax
        self.events = events
    }

    var streamCount: Int { streams.count }

    var hasRoom: Bool { !isRetired && context != nil && streams.count < min(streamsMax, remoteStreamsMax) }

    // MARK: From the lane

    /// - Precondition: ``hasRoom``.
    func begin(_ exchange: PeerExchange) {
        guard let context else { preconditionFailure("A connection with room is open.") }
        let number = HTTP2StreamID(nextNumber)
        nextNumber += 2
        if nextNumber >= Int32.max - 2 { isRetired = true }
        streams[number] = exchange
        numbers[ObjectIdentifier(exchange)] = number
        exchange.body?.markSent()
        let head = HTTP2Frame.FramePayload.Headers(headers: exchange.head, endStream: exchange.body == nil)
        context.write(wrapOutboundOut(HTTP2Frame(streamID: number, payload: .headers(head))), promise: nil)
        for (index, part) in (exchange.body?.parts ?? []).enumerated() {
            let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(part), endStream: index + 1 == exchange.body?.parts.count)
            context.write(wrapOutboundOut(HTTP2Frame(streamID: number, payload: .data(data))), promise: nil)
        }
        scheduleFlush()
    }

    /// Resets the stream of an exchange that is over here.
    func drop(_ exchange: PeerExchange) {
        guard let context, let number = numbers[ObjectIdentifier(exchange)] else { return }
        context.write(wrapOutboundOut(HTTP2Frame(streamID: number, payload: .rstStream(.cancel))), promise: nil)
        scheduleFlush()
        // A stream whose head has not left the connection's buffer ends without a word.
        ended(number, .cancel)
    }

    func grant(_ byteCount: Int, to exchange: PeerExchange) {
        guard let context, let number = numbers[ObjectIdentifier(exchange)] else { return }
        let update = HTTP2Frame.FramePayload.windowUpdate(windowSizeIncrement: byteCount)
        context.write(wrapOutboundOut(HTTP2Frame(streamID: number, payload: update)), promise: nil)
        scheduleFlush()
    }

    /// Takes no new exchange; ends with the last there is.
    func retire() {
        isRetired = true
        if streams.isEmpty { context?.close(promise: nil) }
    }

    /// Brings the connection's window from what the protocol begins with to what it is to be.
    func grantConnectionWindow() {
        let update = HTTP2Frame.FramePayload.windowUpdate(windowSizeIncrement: PeerTransport.connectionWindowBytes - 65_535)
        context?.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: update)), promise: nil)
    }

    func close() { context?.close(promise: nil) }

    /// All that is written until the event loop comes round again leaves in one piece.
    private func scheduleFlush() {
        guard !isReading, !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute { [self] in
            isFlushScheduled = false
            self.context?.flush()
        }
    }

    // MARK: From the wire

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let content):
            guard let exchange = streams[frame.streamID] else { return }
            if let status = content.headers.first(name: ":status").flatMap({ Int($0) }), status >= 200 { exchange.received(status: status) }
            took(frame.streamID, exchange, isLast: content.endStream)
        case .data(let content):
            guard let exchange = streams[frame.streamID] else { return }
            if case .byteBuffer(let part) = content.data { exchange.received(part) }
            took(frame.streamID, exchange, isLast: content.endStream)
        case .settings(.settings(let settings)):
            for setting in settings where setting.parameter == .maxConcurrentStreams { remoteStreamsMax = setting.value }
        case .goAway(let last, let code, _):
            isRetired = true
            // RFC 9113, section 6.8: what came after the last that is named has not been looked at. A node that goes away for an error
            // names none, whatever it has under way.
            for (number, exchange) in streams where number > last && code == .noError {
                exchange.finish(.lost(NIOHTTP2Errors.streamClosed(streamID: number, errorCode: .refusedStream)))
            }
            // Whoever goes away waits for this end, and not longer than it must.
            if streams.isEmpty { context.close(promise: nil) }
        default: break
        }
    }

    private func took(_ number: HTTP2StreamID, _ exchange: PeerExchange, isLast: Bool) {
        if isLast { exchange.receivedEnd() }
        if touched.last?.0 != number { touched.append((number, exchange)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        heardAt = .now()
        let touched = touched
        self.touched.removeAll(keepingCapacity: true)
        for (number, exchange) in touched {
            exchange.wake()
            // An answer that is complete before the request is: the rest of the request is for nobody.
            if exchange.isOver, streams[number] === exchange { drop(exchange) }
        }
        context.flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as StreamClosedEvent: ended(event.streamID, event.reason ?? .cancel)
        case let event as NIOHTTP2WindowUpdatedEvent where event.streamID == .rootStream:
            let window = PeerTransport.connectionWindowBytes
            if let size = event.inboundWindowSize, size <= window / 2 {
                let update = HTTP2Frame.FramePayload.windowUpdate(windowSizeIncrement: window - size)
                context.write(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: update)), promise: nil)
                scheduleFlush()
            }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func ended(_ number: HTTP2StreamID, _ reason: HTTP2ErrorCode) {
        guard let exchange = streams.removeValue(forKey: number) else { return }
        numbers[ObjectIdentifier(exchange)] = nil
        exchange.finish(.lost(NIOHTTP2Errors.streamClosed(streamID: number, errorCode: reason)))
        events.ended(exchange)
        guard streams.isEmpty else { return }
        idleSince = .now()
        if isRetired { context?.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOHTTP2Errors.StreamError {
            guard let exchange = streams[error.streamID] else { return }
            exchange.finish(.lost(error.baseError))
            return drop(exchange)
        }
        if PeerStreams.isOfOneStream(error) { return }
        if error is PeerKeepAlive.Silent { events.silent() }
        end(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(ChannelError.eof)
        self.context = nil
        events.closed(self)
        context.fireChannelInactive()
    }

    private func end(_ error: any Error) {
        isRetired = true
        let all = streams.values
        streams = [:]
        numbers = [:]
        for exchange in all {
            exchange.finish(.lost(error))
            events.ended(exchange)
        }
    }
}
