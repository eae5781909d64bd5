import NIOCore
import NIOHTTP2
import RegionForwarding
import Testing

/// A server that says by GOAWAY which calls it has looked at: the others are surely not started.
@Suite(.timeLimit(.minutes(1))) struct GoneAwayTests {
    /// Names as the last stream the one before the first.
    private final class Leaver: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame
        typealias OutboundOut = HTTP2Frame

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .data = unwrapInboundIn(data).payload else { return }
            let goAway = HTTP2Frame.FramePayload.goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil)
            context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: goAway)), promise: nil)
        }
    }

    @Test func `PLACE-17 a call that came after the last one a leaving region has looked at has surely not started`() async throws {
        try await Fleet.with { fleet in
            try await fleet.withServer { channel in
                try channel.pipeline.syncOperations.addHandlers([NIOHTTP2Handler(mode: .server), Leaver()])
            } _: { client in
                for _ in 0..<2 { await fleet.expectNotStarted(client) }
                #expect(client.isReachable())
            }
        }
    }
}
