import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import RegionForwarding

/// How a connection of another node is set up: as the web framework does it, with invocations taken before its own handling.
///
/// The handlers from the socket on: TLS, HTTP/2, the guards of silent and of closing connections, invocations, one channel for each stream
/// that their handler hands on; in each of those HTTP/2's shared types and the framework.
struct PeerChannel: HTTPChannelHandler {
    typealias Stream = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        fileprivate let streams: AsyncStream<Stream>
    }

    /// Bytes of one request on the way that nobody has taken, and of all on a connection.
    private static let windowBytes = 1 << 20

    let responder: Responder
    let invocations: PeerInvocations
    let limits: PeerLimits
    let tls: RenewedTLS

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let handlers = channel.pipeline.syncOperations
            var connection = NIOHTTP2Handler.ConnectionConfiguration()
            connection.initialSettings = [
                HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.streamsPerConnection),
                HTTP2Setting(parameter: .initialWindowSize, value: Self.windowBytes),
                HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headBytesMax),
            ]
            connection.maximumRecentlyResetStreams = limits.streamsPerConnection
            connection.maximumConnectionGlitches = PeerStreams.glitchesMax
            // Its own question whether the other end is still there is followed by a farewell that waits for an answer.
            let guardian = NIOHTTP2ServerConnectionManagementHandler.Configuration(
                maxIdleTime: nil, maxAge: TimeAmount(limits.connectionAgeMax), maxGraceTime: TimeAmount(limits.drainTimeout),
                keepalive: nil)
            let (streams, stream) = AsyncStream.makeStream(of: Stream.self)
            try handlers.addHandler(NIOSSLServerHandler(context: tls.context))
            try handlers.addHandler(RecordWriter())
            try handlers.addHandler(
                NIOHTTP2Handler(mode: .server, connectionConfiguration: connection, streamConfiguration: PeerStreams.configuration))
            try handlers.addHandler(PeerKeepAlive(limit: TimeAmount(limits.silenceMax)))
            try handlers.addHandler(NIOHTTP2ServerConnectionManagementHandler(eventLoop: channel.eventLoop, configuration: guardian))
            try handlers.addHandler(PeerInvocationHandler(invocations))
            try handlers.addHandler(
                HTTP2StreamMultiplexer(mode: .server, channel: channel, targetWindowSize: Self.windowBytes) { child in
                    child.eventLoop.makeCompletedFuture {
                        try child.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTPServerCodec())
                        try child.pipeline.syncOperations.addHandler(HTTPConnectionStateHandler(logger: logger))
                        stream.yield(try Stream(wrappingChannelSynchronously: child))
                    }
                })
            try handlers.addHandler(PeerConnectionEnd(drainTimeout: TimeAmount(limits.drainTimeout)))
            channel.closeFuture.whenComplete { _ in stream.finish() }
            return Value(channel: channel, streams: streams)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withDiscardingTaskGroup { group in
            for await stream in value.streams {
                group.addTask { await handleHTTP(asyncChannel: stream, logger: logger) }
            }
        }
    }
}

/// Closes a connection on which something failed that is not one stream's, whose other end has closed it, or which is still open some time
/// after the server has begun to shut down: the guard of closing connections counts from when the other end has answered its farewell.
private final class PeerConnectionEnd: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let drainTimeout: TimeAmount
    private var end: Scheduled<Void>?

    init(drainTimeout: TimeAmount) { self.drainTimeout = drainTimeout }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if PeerStreams.isOfOneStream(error) { return }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The framework's sockets may be closed by halves; HTTP/2's connections are not.
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
        if event is ChannelShouldQuiesceEvent, end == nil {
            end = context.eventLoop.assumeIsolated().scheduleTask(in: drainTimeout) { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Frames of the connection itself; HTTP/2 has acted on them.
    }
}
