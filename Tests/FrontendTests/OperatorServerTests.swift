import EngineCore
import Foundation
import Frontend
import Logging
import NIOCore
import NIOPosix
import Telemetry
import Testing

@Suite struct OperatorServerTests {
    private struct Pools: Encodable { let idle: Int }

    /// Serves a record store with two invocations, and asks it.
    private func with(
        _ ids: [RequestID],
        _ body: (_ get: (String) async throws -> (status: UInt, text: String), _ path: String) async throws -> Void
    ) async throws {
        let records = RecordStore(countMax: 10, logBytesMax: .mebibytes(1))
        let calls = [("first", "123456789012"), ("second", "123456789012"), ("first", "210987654321")]
        for (id, (name, digits)) in zip(ids, calls) {
            let account = try #require(AccountID(digits))
            let record = InvocationRecord(
                requestID: id, functionARN: "arn:aws:lambda:eu-central-1:\(account):function:\(name)", version: .latest, account: account,
                node: "pop-1", decision: .run, reason: .warm, arrivalEpochSeconds: 0, outcome: .success, endingParty: .function,
                memoryLimit: .mebibytes(128), requestByteCount: 2)
            records.add(.init(record: record, log: InvocationLog(text: ByteBuffer(string: "log of \(name)"), droppedByteCount: 3)))
        }
        let services = OperatorServices(
            record: { records.entry($0) }, newest: { limit, filter in records.newest(limit, where: filter.includes) },
            pools: { Pools(idle: 2) }, status: { ["node": "pop-1"] })
        try await OperatorSocket.with(services) { try await body($0.get, $0.path) }
    }

    @Test func `records, logs, pools and status are answered over a Unix socket`() async throws {
        let ids = [RequestID(), RequestID()]
        try await with(ids) { get, _ in
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

    @Test func `functions of one name are told apart by account and by ARN`() async throws {
        let ids = [RequestID(), RequestID(), RequestID()]
        try await with(ids) { get, _ in
            let arn = "arn:aws:lambda:eu-central-1:210987654321:function:first"
            for (query, expected) in [
                ("function=first", [0, 2]), ("account=123456789012", [0, 1]), ("function=first&account=123456789012", [0]),
                ("function=\(arn)", [2]), ("function=\(arn):$LATEST", [2]), ("function=\(arn):1", []), ("function=irst", []),
            ] {
                let text = try await get("/v1/records?\(query)").text
                #expect(ids.indices.filter { text.contains(ids[$0].description) } == expected, "\(query)")
            }
            #expect(try await get("/v1/records?account=nobody").status == 400)
        }
    }

    @Test func `only the owner may open the socket, and nothing else is left beside it`() async throws {
        try await with([]) { get, path in
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.type] as? FileAttributeType == .typeSocket)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try await get("/v1/status").status == 200)
        }
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-socket-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder.appending(path: "taken"), withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // A folder cannot be replaced by a socket, so the server says so and leaves nothing.
        let server = OperatorServer(
            socketPath: folder.appending(path: "taken").path,
            services: OperatorServices(record: { _ in nil }, newest: { _, _ in [] }, pools: { 0 }, status: { 0 }),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await #expect(throws: IOError.self) { try await server.run() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
    }

    @Test func `what is not there says so`() async throws {
        try await with([]) { get, _ in
            #expect(try await get("/v1/records/\(RequestID())").status == 404)
            #expect(try await get("/v1/logs/nonsense").status == 400)
            #expect(try await get("/v1/records?limit=0").status == 400)
            let unknown = try await get("/v2/records")
            #expect(unknown.status == 404)
            #expect(unknown.text.contains(#""error":"unknown_path""#))
        }
    }
}
