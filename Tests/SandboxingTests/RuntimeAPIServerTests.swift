import EngineCore
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Sandboxing

/// The Runtime API, request by request, on connections without a network.
@Suite struct RuntimeAPIServerTests {
    /// One container's server, and connections to it.
    final class Fixture {
        let loop = EmbeddedEventLoop()
        let server: RuntimeAPIServer
        let events = Recorder()

        init() {
            server = RuntimeAPIServer(on: loop) { [events] in events.add($0) }
        }

        func connect() throws -> EmbeddedChannel {
            let channel = EmbeddedChannel(loop: loop)
            try server.admit(channel)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 9001)).wait()
            return channel
        }

        func invoke(_ payload: String = "{}", clientContext: String? = nil) -> RequestID {
            let request = TestHost.request(payload, clientContext: clientContext)
            server.invoke(request, deadline: 1_767_322_800_123)
            return request.id
        }
    }

    final class Recorder: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ event: RuntimeEvent) {
            let text =
                switch event {
                case .answered(.success(let body), _, _): "success \(String(buffer: body))"
                case .answered(.functionError(let body), let type, _): "error \(type ?? "-") \(String(buffer: body))"
                case .streaming(let type): "streaming \(type ?? "-")"
                case .part(let bytes): "part \(String(buffer: bytes))"
                case .initialisationFailed(let body, let type): "init \(type ?? "-") \(String(buffer: body))"
                default: "\(event)"
                }
            list.withLock { $0.append(text) }
        }
    }

    /// Sends a request; the status code and the whole text of the answer, or `nil` if none has come.
    static func send(
        _ line: String, _ body: String = "", headers: String = "", on channel: EmbeddedChannel
    ) throws -> (status: Int, text: String)? {
        let length = line.hasPrefix("POST") ? "Content-Length: \(body.utf8.count)\r\n" : ""
        try channel.writeInbound(ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: x\r\n\(headers)\(length)\r\n\(body)"))
        return try receive(on: channel)
    }

    static func receive(on channel: EmbeddedChannel) throws -> (status: Int, text: String)? {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        guard !text.isEmpty else { return nil }
        return (try #require(Int(text.split(separator: " ")[1])), text)
    }

    static let next = "GET /2018-06-01/runtime/invocation/next"
    static func response(_ id: RequestID) -> String { "POST /2018-06-01/runtime/invocation/\(id)/response" }
    static func error(_ id: RequestID) -> String { "POST /2018-06-01/runtime/invocation/\(id)/error" }

    @Test func `next waits for a call and answers with it and all that is known of it`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        #expect(try Self.send(Self.next, on: channel) == nil)
        #expect(fixture.events.all == ["ready"])
        let id = fixture.invoke(#"{"n":1}"#, clientContext: #"{"client":{}}"#)
        let (status, text) = try #require(try Self.receive(on: channel))
        #expect(status == 200)
        #expect(text.hasSuffix("\r\n\r\n{\"n\":1}"))
        for header in [
            "Lambda-Runtime-Aws-Request-Id: \(id)", "Lambda-Runtime-Deadline-Ms: 1767322800123",
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:probe",
            "Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793", "Lambda-Runtime-Client-Context: {\"client\":{}}",
            "Content-Type: application/json", "Content-Length: 7",
        ] {
            #expect(text.contains("\(header)\r\n"), "\(header)")
        }
        let answer = try #require(try Self.send(Self.response(id), "[1]", on: channel))
        #expect(answer.status == 202)
        #expect(answer.text.hasSuffix("{\"status\":\"OK\"}\n"))
        #expect(fixture.events.all == ["ready", "success [1]"])
    }

    @Test func `a call that comes before the question waits for it, and a question while it runs gets it again`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        let id = fixture.invoke("1")
        for _ in 1...2 { #expect(try Self.send(Self.next, on: channel)?.text.hasSuffix("\r\n\r\n1") == true) }
        #expect(try Self.send(Self.response(id), "2", on: channel)?.status == 202)
    }

    @Test func `an answer needs the call's own identifier, and only the first counts`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        #expect(try Self.send(Self.response(RequestID()), "0", on: channel)?.status == 403)
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let wrong = try #require(try Self.send(Self.response(RequestID()), "0", on: channel))
        #expect(wrong.status == 400 && wrong.text.contains(#""errorType":"InvalidRequestID""#))
        #expect(try Self.send(Self.error(id), #"{"errorType":"A"}"#, on: channel)?.status == 202)
        let second = try #require(try Self.send(Self.response(id), "2", on: channel))
        #expect(second.status == 400 && second.text.contains(#""errorType":"InvalidRequestID""#))
        #expect(fixture.events.all == ["ready", #"error A {"errorType":"A"}"#])
    }

    @Test(arguments: [
        ("", "A"), ("Runtime.Bad", "Runtime.Bad"), ("Function.Bad", "Function.Bad"), ("Runtime.B", "Runtime.Unknown"),
        ("Function.bad", "Function.Unknown"), ("Function.Bad2", "Function.Unknown"), ("unhandled", "Runtime.Unknown"),
        ("RuntimeX.Bad", "Runtime.Unknown"),
    ])
    func `an error's type is the header's if it has the form of one, or else the body's`(type: String, recorded: String) throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let header = type.isEmpty ? "" : "Lambda-Runtime-Function-Error-Type: \(type)\r\n"
        #expect(try Self.send(Self.error(id), #"{"errorType":"A"}"#, headers: header, on: channel)?.status == 202)
        #expect(fixture.events.all.last == "error \(recorded) {\"errorType\":\"A\"}")
    }

    /// Sends the head of a request whose body has `length` bytes, and the first `sent` of them.
    private static func begin(_ line: String, length: Int, sent: Int, on channel: EmbeddedChannel) throws -> RuntimeAPIConnection {
        try channel.writeInbound(ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n"))
        try channel.writeInbound(ByteBuffer(repeating: 0x31, count: sent))
        return try channel.pipeline.syncOperations.handler(type: RuntimeAPIConnection.self)
    }

    @Test func `of sixteen connections that send answers one is kept, and the others are of no use`() throws {
        let fixture = Fixture()
        let channels = try (0..<RuntimeAPIServer.connectionsMax).map { _ in try fixture.connect() }
        _ = try Self.send(Self.next, on: channels[0])
        let id = fixture.invoke()
        _ = try Self.receive(on: channels[0])
        let half = RuntimeLimits.responseMax / 2
        let connections = try channels.map { try Self.begin(Self.response(id), length: half + 1, sent: half, on: $0) }
        #expect(connections.map(\.body.readableBytes) == [half] + Array(repeating: 0, count: 15))
        for channel in channels.dropFirst() {
            try channel.writeInbound(ByteBuffer(string: "1"))
            let refused = try #require(try Self.receive(on: channel))
            #expect(refused.status == 400 && refused.text.contains(#""errorType":"InvalidRequestID""#))
        }
        #expect(fixture.events.all == ["ready"])
        try channels[0].writeInbound(ByteBuffer(string: "1"))
        #expect(try Self.receive(on: channels[0])?.status == 202)
        #expect(fixture.events.all.count == 2)
        #expect(connections.allSatisfy { $0.body.capacity == 0 })
    }

    @Test func `a body that nobody asked for is not kept`() throws {
        let fixture = Fixture()
        let early = try Self.begin(Self.response(RequestID()), length: 10, sent: 5, on: fixture.connect())
        #expect(early.body.capacity == 0)
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        for line in [Self.response(RequestID()), Self.error(RequestID()), "POST /2018-06-01/runtime/init/error", "PUT /"] {
            #expect(try Self.begin(line, length: 10, sent: 5, on: fixture.connect()).body.capacity == 0, "\(line)")
        }
        #expect(try Self.begin(Self.error(id), length: 10, sent: 5, on: channel).body.readableBytes == 5)
    }

    @Test func `a connection lost amid its answer leaves the way to another`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let lost = try fixture.connect()
        _ = try Self.begin(Self.response(id), length: 10, sent: 5, on: lost)
        _ = try? lost.finish()
        #expect(try Self.send(Self.response(id), "2", on: channel)?.status == 202)
        #expect(fixture.events.all == ["ready", "success 2"])
    }

    @Test func `the error of an initialisation has 256 KiB at most`() throws {
        let fixture = Fixture()
        let line = "POST /2018-06-01/runtime/init/error"
        let channel = try fixture.connect()
        let max = RuntimeLimits.initialisationErrorMax
        let connection = try Self.begin(line, length: max + 1, sent: max + 1, on: channel)
        #expect(try Self.receive(on: channel)?.status == 413)
        #expect(connection.body.capacity == 0)
        #expect(fixture.events.all.isEmpty)
        _ = try Self.begin(line, length: max, sent: max, on: channel)
        #expect(try Self.receive(on: channel)?.status == 202)
        #expect(fixture.events.all.count == 1)
    }

    @Test func `a long event is in memory once, and who does not read it gets no more`() throws {
        let fixture = Fixture()
        let event = ByteBuffer(repeating: 0x31, count: 1 << 20)
        let request = TestHost.request(String(buffer: event))
        let channels = try [fixture.connect(), fixture.connect()]
        fixture.server.invoke(request, deadline: 0)
        var bodies: [ByteBuffer] = []
        for channel in channels {
            try channel.writeInbound(ByteBuffer(string: "\(Self.next) HTTP/1.1\r\nHost: x\r\n\r\n"))
            _ = try channel.readOutbound(as: ByteBuffer.self)
            bodies.append(try #require(try channel.readOutbound(as: ByteBuffer.self)))
        }
        #expect(bodies.allSatisfy { $0 == event })
        let addresses = bodies.map { $0.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(addresses[0] == addresses[1])
        channels[1].isWritable = false
        #expect(try Self.send(Self.response(request.id), "1", on: channels[0])?.status == 202)
        #expect(!channels[1].isActive)
        channels[0].isWritable = false
        try channels[0].writeInbound(ByteBuffer(string: "\(Self.next) HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(!channels[0].isActive)
    }

    @Test func `initialising may fail before the first question, not after`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        let line = "POST /2018-06-01/runtime/init/error"
        #expect(try Self.send(line, #"{"errorType":"X"}"#, on: channel)?.status == 202)
        #expect(fixture.events.all == [#"init X {"errorType":"X"}"#])
        #expect(try Self.send(line, "{}", on: channel)?.status == 403)
        let other = Fixture()
        let second = try other.connect()
        _ = other.invoke()
        _ = try Self.send(Self.next, on: second)
        let late = try #require(try Self.send(line, "{}", on: second))
        #expect(late.status == 403 && late.text.contains(#""errorType":"InvalidStateTransition""#))
    }

    @Test func `an answer over the limit is refused, and the caller knows before its end`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let over = RuntimeLimits.responseMax + 1
        try channel.writeInbound(
            ByteBuffer(string: "\(Self.response(id)) HTTP/1.1\r\nHost: x\r\nContent-Length: \(over + 1)\r\n\r\n"))
        try channel.writeInbound(ByteBuffer(repeating: 0x31, count: over))
        #expect(fixture.events.all.last == "failed(Sandboxing.RuntimeFault.answerTooLarge(isLast: true))")
        #expect(try Self.receive(on: channel) == nil)
        try channel.writeInbound(ByteBuffer(string: "1"))
        let answer = try #require(try Self.receive(on: channel))
        #expect(answer.status == 413)
        #expect(answer.text.contains("Exceeded maximum allowed payload size (6291556 bytes)."))
    }

    @Test func `a stream is handed on in parts, and its trailers can make it an error`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        let head = "HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n"
        for trailers in ["", "Lambda-Runtime-Function-Error-Type: Function.Late\r\nLambda-Runtime-Function-Error-Body: e30=\r\n"] {
            _ = try Self.send(Self.next, on: channel)
            let id = fixture.invoke()
            _ = try Self.receive(on: channel)
            try channel.writeInbound(ByteBuffer(string: "\(Self.response(id)) \(head)2\r\n[1\r\n3\r\n,2]\r\n0\r\n\(trailers)\r\n"))
            #expect(try Self.receive(on: channel)?.status == 202)
        }
        let parts = ["streaming -", "part [1", "part ,2]"]
        #expect(fixture.events.all == ["ready"] + parts + ["success "] + parts + ["error Function.Late {}"])
    }

    @Test(arguments: [true, false]) func `a stream whose connection is lost is truncated, and not begun again`(_ asks: Bool) throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let head = "HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: "\(Self.response(id)) \(head)2\r\n[1\r\n"))
        // Not by `finish`, which cancels what is scheduled on the loop.
        channel.pipeline.fireChannelInactive()
        #expect(fixture.events.all == ["ready", "streaming -", "part [1"])
        if asks {
            #expect(try Self.send(Self.next, on: fixture.connect()) == nil)
        } else {
            fixture.loop.advanceTime(by: .milliseconds(500))
        }
        #expect(fixture.events.all.last == "failed(Sandboxing.RuntimeFault.truncated)")
    }

    @Test func `an unknown response mode fails the call`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        let header = "Lambda-Runtime-Function-Response-Mode: sideways\r\n"
        #expect(try Self.send(Self.response(id), "1", headers: header, on: channel)?.status == 400)
        #expect(fixture.events.all.last == "failed(Sandboxing.RuntimeFault.responseMode)")
    }

    @Test func `the answer to a pipelined response leaves together with the next event`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let first = fixture.invoke("1")
        _ = try Self.receive(on: channel)
        let answer = "\(Self.response(first)) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n11"
        try channel.writeInbound(ByteBuffer(string: "\(answer)\(Self.next) HTTP/1.1\r\nHost: x\r\n\r\n"))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        _ = fixture.invoke("2")
        let both = try #require(try Self.receive(on: channel))
        #expect(both.status == 202)
        #expect(both.text.hasSuffix("\r\n\r\n2"))
    }

    @Test func `a request behind one that still waits ends the connection`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        let end = " HTTP/1.1\r\nHost: x\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: "\(Self.next)\(end)GET /2018-06-01/ping\(end)"))
        #expect(!channel.isActive)
    }

    @Test func `a client context with line breaks stays one header`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        _ = fixture.invoke(clientContext: "{\r\nSmuggled: 1\r\n}")
        let text = try #require(try Self.receive(on: channel)?.text)
        #expect(text.contains("Lambda-Runtime-Client-Context: {  Smuggled: 1  }\r\n"))
    }

    @Test func `a client that asks before it sends is told to go on`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        try channel.writeInbound(
            ByteBuffer(string: "\(Self.response(id)) HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"))
        #expect(try Self.receive(on: channel)?.status == 100)
        try channel.writeInbound(ByteBuffer(string: "1"))
        #expect(try Self.receive(on: channel)?.status == 202)
    }

    static let others: [(String, Int)] = [
        ("GET /2018-06-01/ping", 200), ("GET /2018-06-01/runtime/restore/next", 200), ("POST /2018-06-01/runtime/restore/error", 202),
        ("GET /2018-06-01/runtime/invocation", 404), ("POST /2018-06-01/runtime/invocation/next", 404), ("GET /", 404),
        ("GET /2018-06-01/runtime/invocation/../../x", 404), ("DELETE /2018-06-01/ping", 404),
    ]

    @Test(arguments: others)
    func `the other paths`(line: String, status: Int) throws {
        let fixture = Fixture()
        #expect(try Self.send(line, on: fixture.connect())?.status == status)
        #expect(fixture.events.all.isEmpty)
    }

    @Test func `what is not HTTP ends the connection without harm`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try? channel.writeInbound(ByteBuffer(string: "\u{1}\u{2}\u{3}\r\n\r\n"))
        #expect(!channel.isActive)
        #expect(try Self.send("GET /2018-06-01/ping", on: fixture.connect())?.status == 200)
    }

    @Test func `one connection more than sixteen is refused until one is closed`() throws {
        let fixture = Fixture()
        let channels = try (0..<RuntimeAPIServer.connectionsMax).map { _ in try fixture.connect() }
        #expect(throws: (any Error).self) { _ = try fixture.connect() }
        _ = try channels[3].finish()
        #expect(try Self.send("GET /2018-06-01/ping", on: fixture.connect())?.status == 200)
    }

    @Test func `a connection lost while it waits does not swallow the call`() throws {
        let fixture = Fixture()
        let first = try fixture.connect()
        _ = try Self.send(Self.next, on: first)
        _ = try first.finish()
        _ = fixture.invoke("5")
        #expect(try Self.send(Self.next, on: fixture.connect())?.text.hasSuffix("\r\n\r\n5") == true)
    }

    @Test func `the end of the process waits for what is on the way, but not for ever`() throws {
        let fixture = Fixture()
        let channel = try fixture.connect()
        _ = try Self.send(Self.next, on: channel)
        let id = fixture.invoke()
        _ = try Self.receive(on: channel)
        fixture.server.processEnded()
        _ = try Self.send(Self.response(id), "1", on: channel)
        #expect(fixture.events.all == ["ready", "success 1"])
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.events.all == ["ready", "success 1", "closed"])
        let other = Fixture()
        other.server.processEnded()
        #expect(other.events.all == ["closed"])
    }
}
