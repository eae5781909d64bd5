import NIOCore
import NIOHTTP2
import RegionForwarding
import Testing

/// A server that says it has not looked at a call, by RST_STREAM with REFUSED_STREAM: it is surely not started, although its payload was
/// sent.
@Suite(.timeLimit(.minutes(1))) struct RefusedStreamTests {
    /// Refuses when the payload has come.
    private final class Refuser: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame.FramePayload
        typealias OutboundOut = HTTP2Frame.FramePayload

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .data = unwrapInboundIn(data) else { return }
            context.writeAndFlush(wrapOutboundOut(.rstStream(.refusedStream)), promise: nil)
        }
    }

    @Test func `PLACE-17 a call on a stream that the region's server refuses has surely not started`() async throws {
        try await Fleet.with { fleet in
            try await fleet.withServer { channel in
                _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                    mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                ) { stream in
                    stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(Refuser()) }
                }
            } _: { client in
                await fleet.expectNotStarted(client)
                #expect(client.isReachable())
            }
        }
    }
}
