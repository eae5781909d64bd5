import NIOCore
import NIOHPACK
import NIOHTTP2
import RegionForwarding
import Testing

/// A region that speaks another version of the protocol between peers.
@Suite(.timeLimit(.minutes(1))) struct OtherVersionTests {
    /// Answers every request as nodes of version 1 answer one of another version.
    private final class VersionOne: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame.FramePayload
        typealias OutboundOut = HTTP2Frame.FramePayload

        static let message = "This node speaks version 1 of the protocol, not 2. Update the older node."

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let isEnd =
                switch unwrapInboundIn(data) {
                case .headers(let content): content.endStream
                case .data(let content): content.endStream
                default: false
                }
            guard isEnd else { return }
            let head = HPACKHeaders([(":status", "400"), ("content-type", "application/json")])
            let body = ByteBuffer(string: #"{"code":"unsupported_protocol","message":"\#(Self.message)"}"#)
            context.write(wrapOutboundOut(.headers(.init(headers: head))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
        }
    }

    private static func configure(_ channel: any Channel) throws {
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: .init(), streamConfiguration: .init()
        ) { stream in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(VersionOne()) }
        }
    }

    private func directory(_ fleet: Fleet, port: Int) throws -> RegionDirectory {
        try RegionDirectory(
            peers: [RegionPeer(name: "region-1", url: "https://127.0.0.1:\(port)")], identity: try fleet.identity("pop-1"),
            configuration: Fleet.patient, logger: Fleet.logger, package: { _ in ByteBuffer() })
    }

    @Test func `PLACE-14 a call that meets a region of another version has not started, and the operator is told why`() async throws {
        try await Fleet.with { fleet in
            try await fleet.withPort(of: Self.configure) { port in
                let directory = try directory(fleet, port: port)
                let client = try #require(directory.client("region-1"))
                await fleet.expectNotStarted(client)
                let state = try #require(directory.states().first)
                #expect(!state.isReachable)
                #expect(state.failure?.reason == VersionOne.message)
                await client.shutdown()
            }
        }
    }

    @Test func `PLACE-14 a region of another version is out of reach before any call is sent, and the operator is told why`() async throws {
        try await Fleet.with { fleet in
            try await fleet.withPort(of: Self.configure) { port in
                let directory = try directory(fleet, port: port)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await directory.run() }
                    while directory.reachableRegions() != [] { try await Task.sleep(for: .milliseconds(2)) }
                    #expect(directory.states().first?.failure?.reason.hasSuffix(VersionOne.message) == true)
                    group.cancelAll()
                }
            }
        }
    }
}
