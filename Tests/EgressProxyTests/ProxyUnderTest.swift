import EgressProxy
import EngineCore
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Answers look-ups with what a test says, in order; the last answer stays. What is asked is kept.
final class ScriptedResolver: EgressResolver {
    private let answers: Mutex<[String: [[String]]]>
    private let questions = Mutex<[String]>([])
    /// Look-ups never end.
    private let isSilent: Bool

    init(_ answers: [String: [[String]]] = [:], isSilent: Bool = false) {
        self.answers = Mutex(answers)
        self.isSilent = isSilent
    }

    var asked: [String] { questions.withLock { $0 } }

    func addresses(of name: String, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        questions.withLock { $0.append(name) }
        if isSilent { return eventLoop.makePromise(of: [IPAddress].self).futureResult }
        let answer = answers.withLock { answers -> [String] in
            guard let list = answers[name], let first = list.first else { return [] }
            if list.count > 1 { answers[name]?.removeFirst() }
            return first
        }
        return eventLoop.makeSucceededFuture(answer.compactMap { IPAddress($0) })
    }
}

/// A proxy on a listener of its own, as a container has one, with its records.
final class ProxyUnderTest: Sendable {
    let port: Int
    let server: EgressProxyServer
    private let records: AsyncStream<EgressRecord>

    init(
        _ entries: [String], account: String = "000000000001", limits: EgressLimits = EgressLimits(),
        shares: EgressShares = EgressShares(), resolver: any EgressResolver = ScriptedResolver()
    ) async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: EgressRecord.self)
        records = stream
        let (listener, port) = try Self.listen()
        self.port = port
        server = try await EgressProxyServer.open(
            listener, for: "arn:aws:lambda:pop:\(account):function:f", policy: EgressPolicy(entries), limits: limits,
            shares: shares, resolver: resolver, on: MultiThreadedEventLoopGroup.singleton.next()
        ) { continuation.yield($0) }.get()
    }

    func connect(autoRead: Bool = true) async throws -> RawPeer { try await RawPeer.connect(port: port, autoRead: autoRead) }

    /// Sends one request and reads to the end.
    func exchange(_ request: String) async throws -> String {
        let peer = try await connect()
        try await peer.send(request)
        return try await peer.receiveAll()
    }

    /// A tunnel that is made, or what was answered instead.
    func tunnel(to target: String) async throws -> (peer: RawPeer, answer: String) {
        let peer = try await connect()
        try await peer.send("CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n\r\n")
        return (peer, try await peer.receive(through: "\r\n\r\n"))
    }

    func record() async throws -> EgressRecord {
        for await record in records { return record }
        throw RawPeer.Gone()
    }

    private static func listen() throws -> (CInt, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(descriptor >= 0)
        try SocketAddress(ipAddress: "127.0.0.1", port: 0).withSockAddr { address, size in
            try #require(bind(descriptor, address, socklen_t(size)) == 0)
        }
        try #require(Glibc.listen(descriptor, 128) == 0)
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let port = try withUnsafeMutableBytes(of: &storage) { bytes in
            let address = try #require(bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self))
            try #require(getsockname(descriptor, address, &length) == 0)
            return Int(bytes[2]) << 8 | Int(bytes[3])
        }
        return (descriptor, port)
    }

    deinit { server.close() }
}
