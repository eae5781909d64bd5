import EngineCore
import Frontend
import HTTPTypes
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct LambdaConnectionTests {
    private static let path = "/2015-03-31/functions/hello/invocations"

    /// A stand-in for a function that never ends by itself.
    private struct Endless: Sendable {
        let begun = AsyncStream<Void>.makeStream()
        let ended = AsyncStream<Bool>.makeStream()

        var invoke: LambdaNode.Invoke {
            { (request) throws(InvocationError) in
                begun.continuation.yield()
                // Ends when its task is cancelled, and by nothing else.
                for await _ in AsyncStream<Void>.makeStream().stream {}
                ended.continuation.yield(Task.isCancelled)
                throw InvocationError(.aborted, "The client has gone.")
            }
        }

        func abort(_ call: @escaping @Sendable () async throws -> LambdaReply) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await call() }
                var begun = begun.stream.makeAsyncIterator()
                _ = await begun.next()
                group.cancelAll()
                try await group.waitForAll()
            }
            var ended = ended.stream.makeAsyncIterator()
            #expect(await ended.next() == true)
        }
    }

    @Test func `WHOLE-03 a client that goes away cancels its call and nobody else's`() async throws {
        let endless = Endless()
        let invoke: LambdaNode.Invoke = { (request) throws(InvocationError) in
            if request.function.key.name == "hello" { return try await endless.invoke(request) }
            return .test(request, .success(request.payload))
        }
        try await LambdaNode.with(invoke: invoke) { node in
            try await node.create("hello")
            try await node.create("other")
            for _ in 0..<3 { try await endless.abort { try await node.invoke("hello") } }
            #expect(try await node.invoke("other", "1").text == "1")
        }
    }

    @Test func `over TLS calls come by HTTP/2, and a stream that is reset cancels its call`() async throws {
        try await Fleet.with { fleet in
            let endless = Endless()
            let invoke: LambdaNode.Invoke = { (request) throws(InvocationError) in
                if request.function.key.name == "hello" { return try await endless.invoke(request) }
                return .test(request, .success(request.payload))
            }
            try await LambdaNode.with(invoke: invoke, identity: try fleet.identity("pop-1")) { node in
                try await node.create("hello")
                try await node.create("other")
                let reply = try await node.invoke("other", "2")
                #expect(reply.text == "2")
                #expect(reply.version == "HTTP/2.0")
                try await endless.abort { try await node.invoke("hello") }
                #expect(try await node.invoke("other", "3").text == "3")
            }
        }
    }

    @Test func `one connection carries many requests, also after one whose body was refused unread`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                let body = String(repeating: "x", count: 200_000)
                for _ in 0..<2 {
                    try await connection.send("POST \(Self.path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    #expect(try await connection.answer().hasPrefix("HTTP/1.1 403"))
                }
                try await connection.send(request(try node.head(.post, Self.path, Array("7".utf8)), length: 1) + "7")
                let answer = try await connection.answer()
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                #expect(answer.hasSuffix("\r\n\r\n7"))
            }
        }
    }

    @Test func `a client that asks first is told to go on`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            try await RawConnection.with(port: node.port) { connection in
                let head = try node.head(.post, Self.path, Array("[1]".utf8), headers: ["Expect": "100-continue"])
                try await connection.send(request(head, length: 3))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 100"))
                try await connection.send("[1]")
                #expect(try await connection.answer().hasSuffix("\r\n\r\n[1]"))
            }
        }
    }

    @Test func `only so many packages are received at one time`() async throws {
        try await LambdaNode.with(configure: { $0.limits.codeRequests = 0 }) { node in
            let reply = try await node.create("hello")
            #expect(reply.status == 429)
            #expect(reply.headers["retry-after"] == "1")
            #expect(reply.json["Reason"] as? String == "CallerRateLimitExceeded")
        }
    }

    /// The head of a deployment by the first account whose signature is for another body.
    private func forged(_ node: LambdaNode, length: Int) throws -> String {
        request(try node.head(.post, "/2015-03-31/functions", Array("{}".utf8), headers: ["Expect": "100-continue"]), length: length)
    }

    @Test func `uploads whose signatures cannot be verified yet keep nobody from deploying`() async throws {
        try await LambdaNode.with(configure: { $0.limits.codeRequests = 1 }) { node in
            try await RawConnection.with(port: node.port) { first in
                try await RawConnection.with(port: node.port) { second in
                    for connection in [first, second] {
                        try await connection.send(try forged(node, length: 60 << 20))
                        #expect(try await connection.answer().hasPrefix("HTTP/1.1 100"))
                        try await connection.send(String(repeating: "x", count: 2 << 20))
                    }
                    #expect(try await node.create("hello", as: node.other).status == 201)
                    #expect(try await node.create("hello").status == 201)
                }
            }
        }
    }

    /// A small event of so many kibibytes.
    private func event(kibibytes: Int) -> String { "\"\(String(repeating: "x", count: kibibytes << 10))\"" }

    @Test func `bodies in receipt have bounded memory, of which one account has half`() async throws {
        let bodies = BodyMemory(bytesMax: .mebibytes(4))
        try await LambdaNode.with(bodies: bodies) { node in
            try await node.create("hello", as: node.other)
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try forged(node, length: 60 << 20))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 100"))
                try await connection.send(String(repeating: "x", count: 3 << 20))
                let answer = try await connection.answer()
                #expect(answer.hasPrefix("HTTP/1.1 429"))
                #expect(answer.lowercased().contains("wayside-error: overloaded"))
            }
            // What was counted is given back, else one of these would be refused.
            for _ in 0..<4 { #expect(try await node.invoke("hello", event(kibibytes: 1536), as: node.other).status == 200) }
            #expect(try await node.invoke("hello", event(kibibytes: 3 << 10), as: node.other).status == 429)
        }
    }

    @Test func `a large body that does not arrive in time ends its connection`() async throws {
        try await LambdaNode.with(configure: { $0.limits.bodyReceipt = .seconds(1) }) { node in
            try await RawConnection.with(port: node.port) { connection in
                try await connection.send(try forged(node, length: 2 << 20))
                #expect(try await connection.answer().hasPrefix("HTTP/1.1 100"))
                var answer: String?
                do { answer = try await connection.answer() } catch { #expect(error is ChannelError || error is IOError) }
                #expect(answer == nil)
            }
        }
    }

    private func request(_ head: HTTPRequest, length: Int) -> String {
        let fields = head.headerFields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        return "\(head.method.rawValue) \(head.path ?? "/") HTTP/1.1\r\nHost: \(head.authority ?? "")\r\n"
            + "\(fields)Content-Length: \(length)\r\n\r\n"
    }
}
