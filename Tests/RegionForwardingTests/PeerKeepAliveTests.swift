import NIOCore
import NIOEmbedded
import NIOHTTP2
import RegionForwarding
import Testing

/// The guard of a silent connection, in virtual time: a limit of three seconds, so a tick a second.
@Suite struct PeerKeepAliveTests {
    private final class Errors: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame
        var all: [any Error] = []
        func errorCaught(context: ChannelHandlerContext, error: any Error) { all.append(error) }
    }

    private let channel: EmbeddedChannel
    private let errors = Errors()

    init() throws {
        channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers([PeerKeepAlive(limit: .seconds(3)), errors])
    }

    private func open(_ number: HTTP2StreamID) {
        channel.pipeline.fireUserInboundEventTriggered(
            NIOHTTP2StreamCreatedEvent(streamID: number, localInitialWindowSize: nil, remoteInitialWindowSize: nil))
    }

    private func close(_ number: HTTP2StreamID) {
        channel.pipeline.fireUserInboundEventTriggered(StreamClosedEvent(streamID: number, reason: nil))
    }

    private func pass(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

    /// PINGs sent since the last look.
    private func pings() throws -> Int {
        var count = 0
        while let frame = try channel.readOutbound(as: HTTP2Frame.self) {
            guard case .ping(_, ack: false) = frame.payload, frame.streamID == .rootStream else {
                Issue.record("This is no PING: \(frame).")
                continue
            }
            count += 1
        }
        return count
    }

    @Test func `PLACE-16 a silent end is asked, and is gone when it does not answer`() throws {
        open(1)
        pass(.milliseconds(1999))
        #expect(try pings() == 0)
        pass(.milliseconds(1))
        #expect(try pings() == 1 && errors.all.isEmpty)
        pass(.seconds(1))
        #expect(errors.all.map { ($0 as? PeerKeepAlive.Silent)?.limit } == [.seconds(3)])
        // Once: whoever hears it closes the connection.
        pass(.seconds(60))
        #expect(try pings() == 0 && errors.all.count == 1)
    }

    @Test func `any byte is a sign of life, and one that answers is asked again as late as before`() throws {
        open(1)
        for _ in 0..<5 {
            pass(.seconds(2))
            #expect(try pings() == 1)
            channel.pipeline.fireChannelReadComplete()
        }
        #expect(errors.all.isEmpty)
        for _ in 0..<100 {
            channel.pipeline.fireChannelReadComplete()
            pass(.milliseconds(900))
        }
        #expect(try pings() == 0 && errors.all.isEmpty)
    }

    @Test func `a connection without a stream may be silent for as long as it likes`() throws {
        pass(.seconds(60))
        open(1)
        open(3)
        pass(.milliseconds(1500))
        close(1)
        pass(.milliseconds(500))
        #expect(try pings() == 1)
        close(3)
        pass(.seconds(60))
        #expect(try pings() == 0 && errors.all.isEmpty)
        // Its next stream finds it as if it had just been heard.
        open(5)
        pass(.milliseconds(1999))
        #expect(try pings() == 0)
        pass(.milliseconds(1001))
        #expect(try pings() == 1 && errors.all.count == 1)
    }

    @Test func `a connection that has ended is not watched`() throws {
        open(1)
        channel.pipeline.fireChannelInactive()
        pass(.seconds(60))
        #expect(try pings() == 0 && errors.all.isEmpty)
    }
}
