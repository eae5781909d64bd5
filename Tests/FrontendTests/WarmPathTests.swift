import EngineCore
import Frontend
import HTTPTypes
import NIOCore
import Synchronization
import Testing

/// The warm path before the responder, with a stand-in for the pool behind it: closures that answer as told.
@Suite(.timeLimit(.minutes(2))) struct WarmPathTests {
    private static let path = "/2015-03-31/functions/hello/invocations"

    /// Takes calls and completes them later, from another thread, in the order the test says.
    private final class Warm: Sendable {
        typealias Completion = @Sendable (Result<InvocationResult, InvocationError>) -> Void

        private let taken = Mutex<[(InvocationRequest, Completion)]>([])
        let arrivals = AsyncStream<String>.makeStream()
        let cancelled = AsyncStream<Void>.makeStream()

        var invoke: WarmInvocation {
            { [self] request, completion in
                taken.withLock { $0.append((request, completion)) }
                arrivals.continuation.yield(String(buffer: request.payload))
                return { [self] in cancelled.continuation.yield() }
            }
        }

        func completeFirst(_ error: InvocationError? = nil) {
            guard let (request, completion) = taken.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
            completion(error.map { .failure($0) } ?? .success(.test(request, .success(ByteBuffer(string: "\"warm\"")))))
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

    @Test func `a warm call is answered with the same fields as any other`() async throws {
        let warm: WarmInvocation = { request, completion in
            completion(.success(.test(request, .success(request.payload))))
            return {}
        }
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", "[1]")
            #expect(reply.text == "[1]")
            for field in ["x-amzn-requestid", "x-amz-executed-version", "x-amzn-trace-id", "content-type", "date", "content-length"] {
                #expect(reply.headers[field] != nil, "\(field) is missing")
            }
        }
    }

    @Test func `answers keep the order of pipelined requests, whichever way each goes`() async throws {
        let warm = Warm()
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm.invoke) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                let other = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                try await connection.send(try request(node, "1") + other + (try request(node, "2")))
                var arrivals = warm.arrivals.stream.makeAsyncIterator()
                #expect(await arrivals.next() == "1")
                warm.completeFirst()
                #expect(try await connection.answer().hasSuffix("\"warm\""))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
                // Behind a request that was handed on, the next one is handed on as well, until all are answered.
                #expect(try await connection.answer().hasSuffix("\"slow\""))
                try await connection.send(try request(node, "3"))
                #expect(await arrivals.next() == "3")
                warm.completeFirst()
                #expect(try await connection.answer().hasSuffix("\"warm\""))
            }
        }
    }

    @Test func `a call that had not begun goes the other way, and one that had gets its error`() async throws {
        let warm = Warm()
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm.invoke) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                var arrivals = warm.arrivals.stream.makeAsyncIterator()
                try await connection.send(try request(node, "1"))
                _ = await arrivals.next()
                warm.completeFirst(InvocationError(.startFailed, "The container ended before the call began."))
                #expect(try await connection.answer().hasSuffix("\"slow\""))
                try await connection.send(try request(node, "2"))
                _ = await arrivals.next()
                warm.completeFirst(InvocationError(.launcherLost, "The sandbox was lost."))
                let answer = try await connection.answer()
                #expect(answer.hasPrefix("HTTP/1.1 500"))
                #expect(answer.contains("launcher_lost"))
            }
        }
    }

    @Test func `a client that goes away ends its call`() async throws {
        let warm = Warm()
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm.invoke) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                var arrivals = warm.arrivals.stream.makeAsyncIterator()
                try await connection.send(try request(node, "1"))
                _ = await arrivals.next()
            }
            var cancelled = warm.cancelled.stream.makeAsyncIterator()
            #expect(await cancelled.next() != nil)
            warm.completeFirst(InvocationError(.aborted, "The client has gone."))
        }
    }

    @Test(arguments: [
        ("{", [:], "HTTP/1.1 400"), ("1", ["X-Amz-Invocation-Type": "DryRun"], "HTTP/1.1 204"),
        ("1", ["X-Amz-Invocation-Type": "Event"], "HTTP/1.1 400"), ("1", ["Connection": "close"], "HTTP/1.1 200"),
    ] as [(String, [String: String], String)])
    func `what is not the common case is answered by the responder`(body: String, headers: [String: String], answer: String) async throws {
        let warm: WarmInvocation = { _, _ in
            Issue.record("It came to the warm path.")
            return nil
        }
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try request(node, body, headers: headers))
                #expect(try await connection.answer().hasPrefix(answer))
            }
        }
    }

    @Test func `a call for which no container is likely idle is the responder's from its head on`() async throws {
        let warm: WarmInvocation = { request, completion in
            completion(.success(.test(request, .success(ByteBuffer(string: "\"warm\"")))))
            return {}
        }
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm, isWarm: { $0.version == .published(1) }) { node in
            try await node.create("hello", ["Publish": true])
            #expect(try await node.invoke("hello").text == "\"slow\"")
            #expect(try await node.invoke("hello:1").text == "\"warm\"")
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
        let warm: WarmInvocation = { _, _ in
            Issue.record("It came to the warm path.")
            return nil
        }
        try await LambdaNode.with(invoke: Self.slow, invokeWarm: warm) { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try request(node, "1").replacing("Signature=", with: "Signature=0"))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
            }
        }
    }
}
