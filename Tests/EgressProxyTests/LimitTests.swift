import EgressProxy
import EngineCore
import NIOCore
import NIOPosix
import Testing

/// Every limit, provoked, with its answer.
@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    private func limits(_ change: (inout EgressLimits) -> Void) -> EgressLimits {
        var limits = EgressLimits()
        change(&limits)
        return limits
    }

    @Test func `connections at once are limited, and counted down again`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"], limits: limits { $0.connectionsMax = 2 })
        let authority = "127.0.0.1:\(target.port)"
        let (first, _) = try await proxy.tunnel(to: authority)
        let far = try await target.accept()
        let (second, answer) = try await proxy.tunnel(to: authority)
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        let (third, refused) = try await proxy.tunnel(to: authority)
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        try await third.close()
        #expect(try await proxy.record().verdict == .tooManyConnections)
        try await first.close()
        try await far.close()
        #expect(try await proxy.record().verdict == .relayed)
        let (fourth, again) = try await proxy.tunnel(to: authority)
        #expect(again.hasPrefix("HTTP/1.1 200 "))
        try await second.close()
        try await fourth.close()
    }

    @Test func `connections far beyond the limit are closed unanswered, and recorded`() async throws {
        let proxy = try await ProxyUnderTest(
            ["api.example.com"],
            limits: limits {
                $0.connectionsMax = 1
                $0.lingerTime = .seconds(30)
            })
        // One waits for its head, one lingers over its answer, because it does not say that it has read it.
        let first = try await proxy.connect()
        let second = try await proxy.connect()
        #expect(try await second.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 503 "))
        let third = try await proxy.connect()
        #expect(try await third.receiveAll() == "")
        #expect(try await proxy.record().verdict == .tooManyConnections)
        try await first.close()
    }

    @Test(arguments: ["GET http://127.0.0.1/", "GET http://127.0.0.1/ HTTP/1.1\r\nX: "])
    func `headers are limited in bytes, wherever the bytes are`(start: String) async throws {
        let proxy = try await ProxyUnderTest(["127.0.0.1"], limits: limits { $0.headerBytesMax = .kibibytes(2) })
        let answer = try await proxy.exchange(start + String(repeating: "x", count: 64 << 10) + "\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 431 "), "\(answer)")
        #expect(try await proxy.record().verdict == .headerTooLarge)
    }

    @Test func `headers within the limit pass, also with a body behind them that is not`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"], limits: limits { $0.headerBytesMax = .kibibytes(2) })
        let client = try await proxy.connect()
        let body = String(repeating: "b", count: 8 << 10)
        let padding = String(repeating: "h", count: 1800)
        try await client.send(
            "POST http://127.0.0.1:\(target.port)/ HTTP/1.1\r\nX: \(padding)\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
        let far = try await target.accept()
        #expect(try await far.receive(through: "\r\n\r\n").contains(padding))
        #expect(try await far.receive(count: body.utf8.count) == ByteBuffer(string: body))
    }

    @Test(arguments: ["", "GET http://127.0.0.1/ HTTP/1.1\r\nX: y\r\n"])
    func `headers that do not come in time are 408`(start: String) async throws {
        let proxy = try await ProxyUnderTest(["127.0.0.1"], limits: limits { $0.headerTime = .milliseconds(50) })
        let answer = try await proxy.exchange(start)
        #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
        #expect(try await proxy.record().verdict == .headerTimeout)
    }

    @Test func `a look-up that takes too long is 504, and keeps others waiting only as long`() async throws {
        let resolver = ScriptedResolver(isSilent: true)
        let proxy = try await ProxyUnderTest(
            ["*.example.com"],
            limits: limits {
                $0.connectTime = .milliseconds(50)
                $0.resolutionsMax = 2
            }, resolver: resolver)
        for _ in 0..<4 {
            let (_, answer) = try await proxy.tunnel(to: "slow.example.com:443")
            #expect(answer.hasPrefix("HTTP/1.1 504 "))
            #expect(try await proxy.record().verdict == .connectTimeout)
        }
        // The first two hold their places, for their threads still wait; nobody else was looked up.
        #expect(resolver.asked.count == 2)
    }

    @Test func `a target that takes too long to accept is 504`() async throws {
        // A full backlog accepts nobody: its listener has no room, and nobody takes from it.
        let full = try await FullListener()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(full.port)"], limits: limits { $0.connectTime = .milliseconds(100) })
        let (_, answer) = try await proxy.tunnel(to: "127.0.0.1:\(full.port)")
        #expect(answer.hasPrefix("HTTP/1.1 504 "), "\(answer)")
        #expect(try await proxy.record().verdict == .connectTimeout)
        full.close()
    }

    @Test func `an idle tunnel is closed, and an answer that does not come is 504`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"], limits: limits { $0.idleTime = .milliseconds(100) })
        let (client, _) = try await proxy.tunnel(to: "127.0.0.1:\(target.port)")
        let far = try await target.accept()
        #expect(try await far.receiveAll() == "")
        #expect(try await client.receiveAll() == "")
        let idle = try await proxy.record()
        #expect(idle.verdict == .idleTimeout && idle.duration >= .milliseconds(100))
        let answer = try await proxy.exchange("GET http://127.0.0.1:\(target.port)/ HTTP/1.1\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 504 "))
        #expect(try await proxy.record().verdict == .idleTimeout)
    }

    @Test(arguments: [true, false])
    func `the bytes of a connection are limited in each direction`(isUp: Bool) async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"], limits: limits { $0.connectionBytesMax = .kibibytes(64) })
        let (client, _) = try await proxy.tunnel(to: "127.0.0.1:\(target.port)")
        let far = try await target.accept()
        let (from, to) = isUp ? (client, far) : (far, client)
        try await from.send(ByteBuffer(repeating: 1, count: 64 << 10))
        #expect(try await to.receive(count: 64 << 10).readableBytes == 64 << 10)
        try await from.send("x")
        #expect(try await to.receiveAll() == "")
        #expect(try await proxy.record().verdict == .connectionBytes)
    }

    @Test func `the bytes of a container's life are limited over all its connections`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"], limits: limits { $0.containerBytesMax = .kibibytes(96) })
        let authority = "127.0.0.1:\(target.port)"
        let (first, _) = try await proxy.tunnel(to: authority)
        let far = try await target.accept()
        try await first.send(ByteBuffer(repeating: 1, count: 64 << 10))
        _ = try await far.receive(count: 64 << 10)
        let (second, _) = try await proxy.tunnel(to: authority)
        let other = try await target.accept()
        try await second.send(ByteBuffer(repeating: 1, count: 64 << 10))
        _ = try? await other.receiveAll()
        #expect(try await proxy.record().verdict == .containerBytes)
        let (_, answer) = try await proxy.tunnel(to: authority)
        #expect(answer.hasPrefix("HTTP/1.1 429 "), "\(answer)")
        #expect(try await proxy.record().verdict == .containerBytes)
    }
}

/// A listener whose backlog is full.
private final class FullListener: Sendable {
    let port: Int
    private let listener: any Channel
    private let fillers: [EventLoopFuture<any Channel>]

    init() async throws {
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 0)
            .serverChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        self.port = port
        // The kernel completes one handshake more than the backlog says; those behind it wait.
        let client = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(20))
        let first = client.connect(host: "127.0.0.1", port: port)
        _ = try await first.get()
        fillers = [first] + (0..<4).map { _ in client.connect(host: "127.0.0.1", port: port) }
    }

    func close() {
        listener.close(promise: nil)
        for filler in fillers { filler.whenSuccess { $0.close(promise: nil) } }
    }
}
