import EgressProxy
import EngineCore
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1))) struct TunnelTests {
    @Test func `a tunnel carries 8 MiB in both directions at once and counts them`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let (client, answer) = try await proxy.tunnel(to: "127.0.0.1:\(target.port)")
        #expect(answer == "HTTP/1.1 200 Connection established\r\n\r\n")
        let far = try await target.accept()
        let size = 8 << 20
        let up = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) })
        let down = ByteBuffer(bytes: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 17 >> 3) })
        async let sentUp: Void = client.send(up)
        async let sentDown: Void = far.send(down)
        async let receivedUp = far.receive(count: size)
        async let receivedDown = client.receive(count: size)
        _ = try await (sentUp, sentDown)
        let (arrivedUp, arrivedDown) = try await (receivedUp, receivedDown)
        #expect(arrivedUp == up)
        #expect(arrivedDown == down)
        try await client.halfClose()
        #expect(try await far.receiveAll() == "")
        try await far.close()
        let record = try await proxy.record()
        #expect(record.verdict == .relayed)
        #expect(record.method == "CONNECT" && record.target == "127.0.0.1:\(target.port)" && record.address == record.target)
        #expect(record.sent == ByteCount(size) && record.received == ByteCount(size))
        #expect(record.duration > .zero)
        let ends = "127.0.0.1:\(target.port) 127.0.0.1:\(target.port)"
        #expect(record.description.contains("CONNECT \(ends) relayed sent=8388608 received=8388608 duration="))
    }

    @Test func `a name is looked up here and its address connected to`() async throws {
        let target = try await RawTarget()
        let resolver = ScriptedResolver(["db.example.com": [["127.0.0.1"]]])
        let proxy = try await ProxyUnderTest(["*.example.com:\(target.port)", "127.0.0.0/8:\(target.port)"], resolver: resolver)
        let (client, answer) = try await proxy.tunnel(to: "DB.Example.com.:\(target.port)")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        let far = try await target.accept()
        try await far.send("hello")
        #expect(try await client.receive(count: 5) == ByteBuffer(string: "hello"))
        try await client.close()
        try await far.close()
        let record = try await proxy.record()
        #expect(record.target == "db.example.com:\(target.port)" && record.address == "127.0.0.1:\(target.port)")
        #expect(resolver.asked == ["db.example.com"])
    }

    @Test func `bytes sent behind CONNECT without waiting are not lost`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let client = try await proxy.connect()
        try await client.send("CONNECT 127.0.0.1:\(target.port) HTTP/1.1\r\n\r\nGET / not HTTP at all \0")
        let far = try await target.accept()
        #expect(try await far.receive(through: "\0") == "GET / not HTTP at all \0")
        #expect(try await client.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
    }

    @Test func `an end that says no more can still be answered, whichever it is`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        for clientFirst in [true, false] {
            let (client, _) = try await proxy.tunnel(to: "127.0.0.1:\(target.port)")
            let far = try await target.accept()
            let (first, second) = clientFirst ? (client, far) : (far, client)
            try await first.send("question")
            try await first.halfClose()
            #expect(try await second.receiveAll() == "question")
            let answer = ByteBuffer(repeating: 0x61, count: 1 << 20)
            try await second.send(answer)
            try await second.close()
            #expect(try await first.receiveAll().utf8.count == 1 << 20)
            #expect(try await proxy.record().verdict == .relayed)
        }
    }

    @Test func `a function that vanishes closes its target, and one that does not read stops it`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let client = try await proxy.connect(autoRead: false)
        try await client.send("CONNECT 127.0.0.1:\(target.port) HTTP/1.1\r\n\r\n")
        let far = try await target.accept()
        // More than all buffers on the way together: written completely only if somebody keeps it.
        let size = 64 << 20
        let sent = far.begin(sending: ByteBuffer(repeating: 0, count: size))
        // What comes the other way still passes, so the proxy is at work.
        try await client.send("still here.")
        #expect(try await far.receive(through: ".") == "still here.")
        // Closed with bytes unread: a reset.
        try await client.close()
        await #expect(throws: (any Error).self) { try await sent.get() }
        let record = try await proxy.record()
        #expect(record.verdict == .relayed)
        #expect(record.received < .mebibytes(16), "\(record)")
    }

    @Test(arguments: ["", "ping"])
    func `an end that said no more before there was a tunnel is told to the target`(early: String) async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let client = try await proxy.connect()
        try await client.send("CONNECT 127.0.0.1:\(target.port) HTTP/1.1\r\n\r\n" + early)
        try await client.halfClose()
        let far = try await target.accept()
        #expect(try await far.receiveAll() == early)
        try await far.send("pong")
        try await far.close()
        #expect(try await client.receiveAll() == "HTTP/1.1 200 Connection established\r\n\r\npong")
        #expect(try await proxy.record().verdict == .relayed)
    }

    @Test func `a function that goes away before it has asked is recorded as gone`() async throws {
        let proxy = try await ProxyUnderTest(["127.0.0.1"])
        let client = try await proxy.connect()
        try await client.send("CONNECT 127.0.0.1")
        try await client.close()
        let record = try await proxy.record()
        #expect(record.verdict == .clientGone && record.target == "")
    }

    @Test func `a container that ends while a name is looked up ends the look-up's connection`() async throws {
        let resolver = ScriptedResolver(isSilent: true)
        let proxy = try await ProxyUnderTest(["*.example.com"], resolver: resolver)
        let clients = try await [proxy.connect(), proxy.connect()]
        for client in clients { try await client.send("CONNECT a.example.com:443 HTTP/1.1\r\n\r\n") }
        // One that the proxy has not accepted yet would be closed by the kernel, and nobody would hear of it.
        while resolver.asked.count < clients.count { try await Task.sleep(for: .milliseconds(1)) }
        try await proxy.server.close().get()
        for client in clients {
            #expect(try await client.receiveAll() == "")
            #expect(try await proxy.record().verdict == .closed)
        }
    }

    @Test func `a container's end closes its tunnels and its listener`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let (client, _) = try await proxy.tunnel(to: "127.0.0.1:\(target.port)")
        let far = try await target.accept()
        async let first: Void = proxy.server.close().get()
        async let second: Void = proxy.server.close().get()
        _ = try await (first, second)
        #expect(try await client.receiveAll() == "")
        #expect(try await far.receiveAll() == "")
        #expect(try await proxy.record().verdict == .closed)
        await #expect(throws: (any Error).self) { try await proxy.connect() }
    }
}
