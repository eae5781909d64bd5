import EngineCore
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
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
            var configuration = try fleet.identity("region-1").serverConfiguration
            configuration.applicationProtocols = ["h2"]
            let tls = try NIOSSLContext(configuration: configuration)
            let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                            mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
                        ) { stream in
                            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(Refuser()) }
                        }
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            try await fleet.withClient(port: server.localAddress?.port ?? 0) { client in
                await #expect {
                    try await client.forward(try Fleet.request(), reason: .uncommon)
                } throws: {
                    let error = $0 as? InvocationError
                    return error?.code == .overloaded && error?.surelyNotStarted == true
                }
                #expect(client.isReachable())
            }
            try await server.close()
        }
    }
}
