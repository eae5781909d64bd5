import NIOCore
import NIOPosix

/// A TCP connection on which a test says HTTP/1.1 by hand.
final class RawConnection {
    private var parts: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var received = ""

    private init(_ parts: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, _ writer: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        self.parts = parts
        self.writer = writer
    }

    /// - Parameter isReset: whether it is reset in the end instead of closed.
    static func with(port: Int, isReset: Bool = false, _ body: (RawConnection) async throws -> Void) async throws {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        if isReset, let options = channel.channel as? any SocketOptionProvider {
            try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await channel.executeThenClose { inbound, outbound in
            try await body(RawConnection(inbound.makeAsyncIterator(), outbound))
        }
    }

    func send(_ text: String) async throws { try await writer.write(ByteBuffer(string: text)) }

    /// The next answer, head and body. - Throws: when the connection ends before.
    func answer() async throws -> String {
        while true {
            if let head = received.firstRange(of: "\r\n\r\n") {
                let length = received[..<head.lowerBound].lowercased().split(separator: "\r\n")
                    .first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
                let end = received.utf8.index(head.upperBound, offsetBy: length, limitedBy: received.endIndex)
                if let end {
                    defer { received = String(received[end...]) }
                    return String(received[..<end])
                }
            }
            guard let part = try await parts.next(isolation: #isolation) else { throw ChannelError.eof }
            received += String(buffer: part)
        }
    }
}
