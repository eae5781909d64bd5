import AsyncHTTPClient
import EngineCore
import Foundation
import Frontend
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Telemetry
import Testing

@Suite struct OperatorServerTests {
    private struct Pools: Encodable { let idle: Int }

    /// Serves a record store with two invocations, and asks it.
    private func with(
        _ ids: [RequestID], _ body: (@escaping (String) async throws -> (status: UInt, text: String)) async throws -> Void
    ) async throws {
        let records = RecordStore(countMax: 10, logBytesMax: .mebibytes(1))
        let account = try #require(AccountID("123456789012"))
        for (id, name) in zip(ids, ["first", "second"]) {
            let record = InvocationRecord(
                requestID: id, functionARN: "arn:aws:lambda:eu-central-1:123456789012:function:\(name)", version: .latest, account: account,
                node: "pop-1", decision: .run, reason: .warm, arrivalEpochSeconds: 0, outcome: .success, endingParty: .function,
                memoryLimit: .mebibytes(128), requestByteCount: 2)
            records.add(.init(record: record, log: InvocationLog(text: ByteBuffer(string: "log of \(name)"), droppedByteCount: 3)))
        }
        // A short path: the name of a Unix socket has at most 107 bytes.
        let path = "/tmp/wayside-\(UInt32.random(in: 0 ... .max)).sock"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let (running, bound) = AsyncStream<Void>.makeStream()
        let server = OperatorServer(
            socketPath: path,
            services: OperatorServices(
                record: { records.entry($0) },
                newest: { limit, name in records.newest(limit) { name.map($0.functionARN.hasSuffix) ?? true } },
                pools: { Pools(idle: 2) }, status: { ["node": "pop-1"] }),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onRunning: { bound.yield() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            var iterator = running.makeAsyncIterator()
            _ = await iterator.next()
            let url = try #require(URL(httpURLWithSocketPath: path))
            try await body { target in
                let request = HTTPClientRequest(url: url.absoluteString + target)
                let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
                return (response.status.code, String(buffer: try await response.body.collect(upTo: 1 << 20)))
            }
        }
    }

    @Test func `records, logs, pools and status are answered over a Unix socket`() async throws {
        let ids = [RequestID(), RequestID()]
        try await with(ids) { get in
            let record = try await get("/v1/records/\(ids[0])")
            #expect(record.status == 200)
            #expect(record.text.contains("\"requestID\":\"\(ids[0])\""))
            #expect(record.text.contains("\"droppedLogBytes\":3"))
            #expect(try await get("/v1/logs/\(ids[1])").text == "log of second")
            let all = try await get("/v1/records").text
            let positions = try ids.map { try #require(all.range(of: $0.description)).lowerBound }
            #expect(positions[1] < positions[0])
            let one = try await get("/v1/records?limit=1").text
            #expect(one.contains(ids[1].description) && !one.contains(ids[0].description))
            let named = try await get("/v1/records?function=first").text
            #expect(named.contains(ids[0].description) && !named.contains(ids[1].description))
            #expect(try await get("/v1/pools").text == #"{"idle":2}"#)
            #expect(try await get("/v1/status").text == #"{"node":"pop-1"}"#)
        }
    }

    @Test func `what is not there says so`() async throws {
        try await with([]) { get in
            #expect(try await get("/v1/records/\(RequestID())").status == 404)
            #expect(try await get("/v1/logs/nonsense").status == 400)
            #expect(try await get("/v1/records?limit=0").status == 400)
            let unknown = try await get("/v2/records")
            #expect(unknown.status == 404)
            #expect(unknown.text.contains(#""error":"unknown_path""#))
        }
    }
}
