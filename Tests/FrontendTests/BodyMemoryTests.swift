import EngineCore
@testable import Frontend
import FunctionCatalog
import HTTPTypes
import NIOCore
import RegionForwarding
import Synchronization
import Testing

/// The memory that the bodies of requests have together: reached, answered, and given back.
@Suite(.timeLimit(.minutes(2))) struct BodyMemoryTests {
    /// A stand-in for functions that run until they are told to end, or their client goes.
    private final class HeldCalls: Sendable {
        typealias Completion = @Sendable (Result<InvocationResult, InvocationError>) -> Void

        private let calls = Mutex<[RequestID: (InvocationRequest, Completion)]>([:])

        var count: Int { calls.withLock { $0.count } }

        @Sendable func begin(_ request: InvocationRequest, _ completion: @escaping Completion) -> @Sendable () -> Void {
            calls.withLock { $0[request.id] = (request, completion) }
            return { self.abort(request.id) }
        }

        @Sendable func invoke(_ request: InvocationRequest) async throws(InvocationError) -> InvocationResult {
            let result = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    _ = begin(request) { continuation.resume(returning: $0) }
                    if Task.isCancelled { abort(request.id) }
                }
            } onCancel: {
                abort(request.id)
            }
            return try result.get()
        }

        private func abort(_ id: RequestID) {
            calls.withLock { $0.removeValue(forKey: id) }?.1(.failure(InvocationError(.aborted, "The client has gone.")))
        }

        func endAll() {
            let all = calls.withLock { calls in
                defer { calls = [:] }
                return calls.values.map { $0 }
            }
            for (request, completion) in all { completion(.success(.test(request, .success(request.payload)))) }
        }
    }

    /// Returns when the condition holds; the suite's time limit ends a test in which it never does.
    private func until(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    private static let path = "/2015-03-31/functions/hello/invocations"

    private func text(_ node: LambdaNode, _ event: String, as key: NewAccessKey) throws -> String {
        let head = try node.head(.post, Self.path, Array(event.utf8), as: key)
        let fields = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        return "POST \(Self.path) HTTP/1.1\r\nHost: \(head.authority ?? "")\r\n\(fields)Content-Length: \(event.utf8.count)\r\n\r\n\(event)"
    }

    /// Small events are taken on the event loop, large ones by a task.
    @Test(arguments: [32 << 10, 300 << 10])
    func `events of clients' calls are counted until they are answered, and one account has half`(byteCount: Int) async throws {
        let bodies = BodyMemory(bytesMax: ByteCount(3 * byteCount))
        let calls = HeldCalls()
        let event = "\"\(String(repeating: "x", count: byteCount - 2))\""
        try await LambdaNode.with(invoke: calls.invoke, begin: calls.begin, bodies: bodies) { node in
            for key in [node.account, node.other] { #expect(try await node.create("hello", as: key).status == 201) }
            try await RawConnection.with(port: node.port) { first in
                try await first.send(try text(node, event, as: node.account))
                try await until { calls.count == 1 }
                let refused = try await node.invoke("hello", event)
                #expect(refused.status == 429)
                #expect(refused.headers["wayside-error"] == "overloaded")
                #expect(refused.headers["retry-after"] == "1")
                try await RawConnection.with(port: node.port) { connection in
                    // The connection goes on after a body that was refused as it came.
                    try await connection.send(try text(node, event, as: node.account))
                    #expect(try await connection.answer().hasPrefix("HTTP/1.1 429"))
                    try await connection.send("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
                    #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
                }
                #expect(bodies.bytesHeld.bytes == byteCount)
                try await RawConnection.with(port: node.port) { second in
                    try await second.send(try text(node, event, as: node.other))
                    try await until { calls.count == 2 }
                    #expect(bodies.bytesHeld.bytes == 2 * byteCount)
                }
                // The second client has gone.
                try await until { bodies.bytesHeld.bytes == byteCount }
                calls.endAll()
                #expect(try await first.answer().hasPrefix("HTTP/1.1 200"))
            }
            try await until { bodies.bytesHeld == .zero }
        }
    }

    @Test func `neither clients nor nodes can keep the other out`() throws {
        let bodies = BodyMemory(bytesMax: ByteCount(400))
        for isClients in [true, false] {
            var held: [HeldBody] = []
            func grow(_ isClient: Bool, _ number: Int) throws {
                var body = HeldBody(bodies)
                try body.grow(to: 100, of: isClient ? AccountID("00000000000\(number)") : nil)
                held.append(body)
            }
            for number in 1...3 { try grow(isClients, number) }
            #expect(throws: InvocationError.self) { try grow(isClients, 4) }
            try grow(!isClients, 5)
            #expect(throws: InvocationError.self) { try grow(!isClients, 6) }
            #expect(bodies.bytesHeld == bodies.bytesMax)
            for index in held.indices { held[index].release() }
            #expect(bodies.bytesHeld == .zero)
        }
    }

    @Test func `a client that goes away in the middle of its event gives back what was counted`() async throws {
        let bodies = BodyMemory(bytesMax: .mebibytes(1))
        let calls = HeldCalls()
        try await LambdaNode.with(invoke: calls.invoke, begin: calls.begin, bodies: bodies) { node in
            try await node.create("hello")
            for length in [1 << 10, 400 << 10] {
                let event = String(repeating: "1", count: length)
                let request = try text(node, event, as: node.account)
                try await RawConnection.with(port: node.port) { connection in
                    try await connection.send(String(request.dropLast(length / 2)))
                    try await until { bodies.bytesHeld > .zero }
                }
                try await until { bodies.bytesHeld == .zero }
            }
        }
    }

    enum Way: Sendable, CaseIterable { case eventLoop, task, stream }

    @Test(arguments: Way.allCases)
    func `PLACE-14 payloads of forwarded calls are counted at the region, which refuses one that does not fit before it starts`(
        way: Way
    ) async throws {
        let bodies = BodyMemory(bytesMax: ByteCount(100_000))
        let long = ByteBuffer(repeating: UInt8(ascii: " "), count: 60_000)
        try await Fleet.with { fleet in
            try await TestRegion.with(
                fleet, bodies: bodies,
                handler: { (request) throws(InvocationError) in
                    // Until its sender goes.
                    if request.payload == long { for await _ in AsyncStream<Void>.makeStream().stream {} }
                    return .success(request.payload)
                }
            ) { region in
                if way == .eventLoop { region.change { ($0.isWarm, $0.warmHangs) = (true, {}) } }
                try await fleet.withClient(port: region.now.port) { client in
                    var request = try Fleet.request(long)
                    if way == .stream { request.results = ResultStream(bytesMax: nil) }
                    let call = Task { [request] in try await client.forward(request, reason: .uncommon) }
                    try await until { region.now.requests.count + region.now.warmCount == 1 }
                    #expect(bodies.bytesHeld.bytes > 60_000)
                    await #expect {
                        try await client.forward(try Fleet.request(long), reason: .uncommon)
                    } throws: {
                        let error = $0 as? InvocationError
                        return error?.code == .overloaded && error?.surelyNotStarted == true
                    }
                    #expect(region.now.requests.count + region.now.warmCount == 1)
                    call.cancel()
                    await #expect(throws: (any Error).self) { try await call.value }
                    try await until { bodies.bytesHeld == .zero }
                    region.change { $0.isWarm = false }
                    let answer = try await client.forward(try Fleet.request(), reason: .uncommon)
                    #expect(answer.result.outcome.payload == ByteBuffer(string: "{}"))
                    try await until { bodies.bytesHeld == .zero }
                }
            }
        }
    }
}
