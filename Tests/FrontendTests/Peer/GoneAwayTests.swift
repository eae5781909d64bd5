import EngineCore
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
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
            var configuration = try fleet.identity("region-1").serverConfiguration
            configuration.applicationProtocols = ["h2"]
            let tls = try NIOSSLContext(configuration: configuration)
            let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers([
                            NIOSSLServerHandler(context: tls), NIOHTTP2Handler(mode: .server), Leaver(),
                        ])
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            try await fleet.withClient(port: server.localAddress?.port ?? 0) { client in
                for _ in 0..<2 {
                    await #expect {
                        try await client.forward(try Fleet.request(), reason: .uncommon)
                    } throws: {
                        let error = $0 as? InvocationError
                        return error?.code == .overloaded && error?.surelyNotStarted == true
                    }
                }
                #expect(client.isReachable())
            }
            try await server.close()
        }
    }
}
