import EngineCore
import Frontend
import HTTPTypes
import NIOCore
import Synchronization
import Testing

/// Invocations taken on the event loop, before the responder, with a stand-in for the engine behind: closures that answer as told.
@Suite(.timeLimit(.minutes(2))) struct InvocationHandlerTests {
    private static let path = "/2015-03-31/functions/hello/invocations"

    /// Takes calls and completes them later, from another thread, in the order the test says.
    private final class Calls: Sendable {
        typealias Completion = @Sendable (Result<InvocationResult, InvocationError>) -> Void

        private let taken = Mutex<[(InvocationRequest, Completion)]>([])
        let arrivals = AsyncStream<String>.makeStream()
        let cancelled = AsyncStream<Void>.makeStream()

        var begin: InvocationStart {
            { [self] request, completion in
                taken.withLock { $0.append((request, completion)) }
                arrivals.continuation.yield(String(buffer: request.payload))
                return { [self] in cancelled.continuation.yield() }
            }
        }

        func completeFirst(_ error: InvocationError? = nil) {
            guard let (request, completion) = taken.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
            completion(error.map { .failure($0) } ?? .success(.test(request, .success(ByteBuffer(string: "\"quick\"")))))
        }
    }

    private static let slow: LambdaNode.Invoke = { (request) throws(InvocationError) in
        .test(request, .success(ByteBuffer(string: "\"slow\"")))
    }

    private func request(_ node: LambdaNode, _ body: String, headers: [String: String] = [:]) throws -> String {
        let head = try node.head(.post, Self.path, Array(body.utf8), headers: headers)
        let fields = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        return "POST \(Self.path) HTTP/1.1\r\nHost: \(head.authority ?? "")\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func `a call is answered with the same fields as any other`() async throws {
        let quick: InvocationStart = { request, completion in
            completion(.success(.test(request, .success(request.payload))))
            return {}
        }
        try await LambdaNode.with(invoke: Self.slow, begin: quick) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", "[1]")
            #expect(reply.text == "[1]")
            for field in ["x-amzn-requestid", "x-amz-executed-version", "x-amzn-trace-id", "content-type", "date", "content-length"] {
                #expect(reply.headers[field] != nil, "\(field) is missing")
            }
        }
    }

    @Test func `answers keep the order of pipelined requests, whichever way each goes`() async throws {
        let calls = Calls()
        try await LambdaNode.with(invoke: Self.slow, begin: calls.begin) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                let other = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                try await connection.send(try request(node, "1") + other + (try request(node, "2")))
                var arrivals = calls.arrivals.stream.makeAsyncIterator()
                #expect(await arrivals.next() == "1")
                calls.completeFirst()
                #expect(try await connection.answer().hasSuffix("\"quick\""))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
                // Behind a request that was handed on, the next one is handed on as well, until all are answered.
                #expect(try await connection.answer().hasSuffix("\"slow\""))
                try await connection.send(try request(node, "3"))
                #expect(await arrivals.next() == "3")
                calls.completeFirst()
                #expect(try await connection.answer().hasSuffix("\"quick\""))
            }
        }
    }

    @Test func `a call that fails gets its error`() async throws {
        let calls = Calls()
        try await LambdaNode.with(invoke: Self.slow, begin: calls.begin) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                var arrivals = calls.arrivals.stream.makeAsyncIterator()
                for (error, status) in [
                    (InvocationError(.overloaded, "No capacity is free here."), 429),
                    (InvocationError(.launcherLost, "The sandbox was lost."), 500),
                ] {
                    try await connection.send(try request(node, "1"))
                    _ = await arrivals.next()
                    calls.completeFirst(error)
                    let answer = try await connection.answer()
                    #expect(answer.hasPrefix("HTTP/1.1 \(status)"))
                    #expect(answer.contains(error.code.rawValue))
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func `a client that goes away ends its call, whether it closes its connection or resets it`(isReset: Bool) async throws {
        let calls = Calls()
        try await LambdaNode.with(invoke: Self.slow, begin: calls.begin) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port, isReset: isReset) { connection in
                var arrivals = calls.arrivals.stream.makeAsyncIterator()
                try await connection.send(try request(node, "1"))
                _ = await arrivals.next()
            }
            var cancelled = calls.cancelled.stream.makeAsyncIterator()
            #expect(await cancelled.next() != nil)
            calls.completeFirst(InvocationError(.aborted, "The client has gone."))
        }
    }

    @Test(arguments: [
        ("{", [:], "HTTP/1.1 400"), ("1", ["X-Amz-Invocation-Type": "DryRun"], "HTTP/1.1 204"),
        ("1", ["X-Amz-Invocation-Type": "Event"], "HTTP/1.1 400"), ("1", ["Connection": "close"], "HTTP/1.1 200"),
    ] as [(String, [String: String], String)])
    func `what is not the common case is answered by the responder`(body: String, headers: [String: String], answer: String) async throws {
        let quick: InvocationStart = { _, _ in
            Issue.record("It was taken on the event loop.")
            return {}
        }
        try await LambdaNode.with(invoke: Self.slow, begin: quick) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try request(node, body, headers: headers))
                #expect(try await connection.answer().hasPrefix(answer))
            }
        }
    }

    @Test func `a stranger is answered without waiting for the body`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send("POST \(Self.path) HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
            }
        }
    }

    @Test func `a request with a wrong signature is refused as by the responder`() async throws {
        let quick: InvocationStart = { _, _ in
            Issue.record("It was taken on the event loop.")
            return {}
        }
        try await LambdaNode.with(invoke: Self.slow, begin: quick) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try request(node, "1").replacing("Signature=", with: "Signature=0"))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
            }
        }
    }
}
