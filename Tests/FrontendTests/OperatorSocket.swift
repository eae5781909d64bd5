import AsyncHTTPClient
import Foundation
import Frontend
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

/// The operator's API on a real socket, for as long as a test asks it things.
struct OperatorSocket {
    typealias Answer = (status: UInt, text: String)

    let path: String
    private let url: URL

    static func with(_ services: OperatorServices, _ body: (OperatorSocket) async throws -> Void) async throws {
        // A short path: the name of a Unix socket has at most 107 bytes.
        let path = "/tmp/wayside-\(UInt32.random(in: 0 ... .max)).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let (running, bound) = AsyncStream<Void>.makeStream()
        let server = OperatorServer(
            socketPath: path, services: services, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onRunning: { bound.yield() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            var iterator = running.makeAsyncIterator()
            _ = await iterator.next()
            try await body(OperatorSocket(path: path, url: try #require(URL(httpURLWithSocketPath: path))))
        }
    }

    func ask(_ method: HTTPMethod, _ target: String, _ body: String = "") async throws -> Answer {
        var request = HTTPClientRequest(url: url.absoluteString + target)
        request.method = method
        if !body.isEmpty { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (response.status.code, String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    func get(_ target: String) async throws -> Answer { try await ask(.GET, target) }
}
