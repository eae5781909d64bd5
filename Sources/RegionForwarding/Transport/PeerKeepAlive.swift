import Glibc
public import NIOCore
public import NIOHTTP2

// Whether the other end of a connection is still there, asked while something is expected of it. TCP finds a path that carries nothing
// any more only when it has bytes to send, and then after a quarter of an hour.
//
//              first stream               a third of the limit without a byte            another third
//     idle ───────────────────► listening ────────────────────────────────────► asked ─────────────────► silent
//      ▲                         │   ▲  ▲                                      (PING) │
//      └──────no stream is left──┘   └──┼──────────any byte of whatever──────────────┘
//                                       └──any byte
//
// On a slow way the PING waits behind what was sent before it, while the other end takes that and has nothing to say. Its kernel
// acknowledges it, though: as long as acknowledgements come the connection stays in `asked`. A process that has been stopped, or a relay
// before a path that is cut, acknowledges until its buffer is full or all has been sent, and no longer.
//
// Time is counted in ticks of a third of the limit, between which one bit says whether anything came: a read costs no look at the clock.
// The third tick finds the silence that began just behind the first, so it is found between two thirds of the limit and all of it. A
// process that was stopped itself has one tick when it goes on, and has read by then what had come.

/// Behind HTTP/2's framing: ends a connection whose other end has said nothing for too long while streams are open.
///
/// The error is fired on; whoever closes connections for errors of theirs does so for this one.
public final class PeerKeepAlive: ChannelInboundHandler {
    public typealias InboundIn = HTTP2Frame
    public typealias OutboundOut = HTTP2Frame

    public struct Silent: Error, Hashable, CustomStringConvertible {
        public let limit: TimeAmount
        public var description: String { "the other end has said nothing for \(limit.nanoseconds / 1_000_000) ms" }
    }

    private static let ticks: Int64 = 3

    private let limit: TimeAmount
    private var interval: TimeAmount { .nanoseconds(limit.nanoseconds / Self.ticks) }
    private var streamCount = 0
    private var hasHeard = false
    private var hasAsked = false
    private var tick: Scheduled<Void>?
    private var asked: UInt64 = 0

    /// - Parameter limit: how long the other end may be silent while a stream is open.
    public init(limit: TimeAmount) { self.limit = limit }

    public func channelReadComplete(context: ChannelHandlerContext) {
        hasHeard = true
        context.fireChannelReadComplete()
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is NIOHTTP2StreamCreatedEvent:
            streamCount += 1
            if tick == nil { listen(context) }
        case is StreamClosedEvent: streamCount -= 1
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    public func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        tick?.cancel()
        tick = nil
    }

    /// The time without a stream does not count.
    private func listen(_ context: ChannelHandlerContext) {
        hasHeard = true
        scheduleTick(context)
    }

    private func scheduleTick(_ context: ChannelHandlerContext) {
        tick = context.eventLoop.assumeIsolated().scheduleTask(in: interval) { [self] in
            tick = nil
            look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        guard streamCount > 0 else { return }
        if hasHeard {
            (hasHeard, hasAsked) = (false, false)
        } else if !hasAsked {
            hasAsked = true
            asked += 1
            let ping = HTTP2Frame(streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: asked), ack: false))
            context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        } else {
            return lookAtAcknowledgements(context)
        }
        scheduleTick(context)
    }

    /// tcp(7). The acknowledgement of the PING itself came a tick ago, but for the way there and back.
    private func lookAtAcknowledgements(_ context: ChannelHandlerContext) {
        guard let socket = context.channel as? any SocketOptionProvider else { return context.fireErrorCaught(Silent(limit: limit)) }
        socket.getTCPInfo().assumeIsolated().whenComplete { [self] result in
            guard context.channel.isActive else { return }
            if case .success(let info) = result, Int64(info.tcpi_last_ack_recv) * 1_000_000 < interval.nanoseconds / 4 * 3 {
                scheduleTick(context)
            } else {
                context.fireErrorCaught(Silent(limit: limit))
            }
        }
    }
}
