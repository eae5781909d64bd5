import EgressProxy
import EngineCore
import NIOCore
import Testing

/// Plain HTTP in absolute form.
@Suite(.timeLimit(.minutes(1))) struct ExchangeTests {
    @Test func `a plain GET reaches the target in origin form, without what concerns the proxy alone`() async throws {
        let target = try await RawTarget()
        let resolver = ScriptedResolver(["api.example.com": [["127.0.0.1"]]])
        let proxy = try await ProxyUnderTest(["api.example.com:\(target.port)", "127.0.0.1:\(target.port)"], resolver: resolver)
        async let answer = proxy.exchange(
            """
            GET http://API.example.com:\(target.port)/a/b?c=d HTTP/1.1\r
            Host: evil.example\r
            Proxy-Authorization: Basic c2VjcmV0\r
            Proxy-Connection: keep-alive\r
            Connection: keep-alive, X-Hop\r
            Keep-Alive: 5\r
            TE: trailers\r
            X-Hop: one\r
            X-End: two\r
            \r\n
            """)
        let far = try await target.accept()
        let request = try await far.receive(through: "\r\n\r\n")
        #expect(
            request == "GET /a/b?c=d HTTP/1.1\r\nHost: api.example.com:\(target.port)\r\nX-End: two\r\nVia: 1.1 wayside\r\n"
                + "Connection: close\r\n\r\n")
        try await far.send("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\nhello")
        let text = try await answer
        #expect(text == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-End: 2\r\nVia: 1.1 wayside\r\nConnection: close\r\n\r\nhello")
        // The target has not closed; the proxy has.
        #expect(try await far.receiveAll() == "")
        let record = try await proxy.record()
        #expect(record.verdict == .relayed && record.method == "GET" && record.address == "127.0.0.1:\(target.port)")
        #expect(record.sent.bytes == request.utf8.count && record.received.bytes > 80)
    }

    @Test func `bodies stream, with a length, in chunks, and to the end of a connection`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let url = "http://127.0.0.1:\(target.port)"
        let size = 1 << 20
        let body = String(repeating: "x", count: size)

        let sized = try await proxy.connect()
        async let sent: Void = sized.send("POST \(url)/up HTTP/1.1\r\nContent-Length: \(size)\r\n\r\n\(body)")
        let first = try await target.accept()
        #expect(try await first.receive(through: "\r\n\r\n").contains("Content-Length: \(size)\r\n"))
        #expect(try await first.receive(count: size) == ByteBuffer(string: body))
        try await sent
        try await first.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        let chunks = try await sized.receiveAll()
        #expect(chunks.contains("Transfer-Encoding: chunked\r\n"))
        #expect(chunks.hasSuffix("\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "\(chunks)")

        let chunked = try await proxy.connect()
        try await chunked.send("PUT \(url) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n")
        let second = try await target.accept()
        let head = try await second.receive(through: "\r\n\r\n")
        #expect(head.hasPrefix("PUT / HTTP/1.1\r\n") && head.contains("Transfer-Encoding: chunked\r\n"))
        #expect(try await second.receive(through: "wxyz\r\n") == "4\r\nwxyz\r\n")
        try await chunked.send("0\r\n\r\n")
        #expect(try await second.receive(through: "0\r\n\r\n") == "0\r\n\r\n")
        try await second.send("HTTP/1.0 200 OK\r\n\r\nuntil the end")
        try await second.close()
        #expect(try await chunked.receiveAll().hasSuffix("\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n"))

        let old = try await proxy.connect()
        try await old.send("GET \(url)/ HTTP/1.0\r\n\r\n")
        let third = try await target.accept()
        _ = try await third.receive(through: "\r\n\r\n")
        try await third.send("HTTP/1.1 200 OK\r\n\r\nuntil the end")
        try await third.close()
        #expect(try await old.receiveAll().hasSuffix("\r\n\r\nuntil the end"))
        for _ in 0..<3 { #expect(try await proxy.record().verdict == .relayed) }
    }

    @Test func `answers without a body, and the leave to send one, are relayed`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let url = "http://127.0.0.1:\(target.port)/"
        async let head = proxy.exchange("HEAD \(url) HTTP/1.1\r\n\r\n")
        let first = try await target.accept()
        _ = try await first.receive(through: "\r\n\r\n")
        try await first.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        let answer = try await head
        #expect(answer.contains("Content-Length: 1000\r\n") && answer.hasSuffix("\r\n\r\n"))

        let client = try await proxy.connect()
        try await client.send("POST \(url) HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        let second = try await target.accept()
        #expect(try await second.receive(through: "\r\n\r\n").contains("Expect: 100-continue\r\n"))
        try await second.send("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(try await client.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 Continue\r\n"))
        try await client.send("ok")
        #expect(try await second.receive(count: 2) == ByteBuffer(string: "ok"))
        try await second.send("HTTP/1.1 204 No Content\r\n\r\n")
        let last = try await client.receiveAll()
        #expect(last.hasPrefix("HTTP/1.1 204 ") && last.hasSuffix("\r\n\r\n"), "\(last)")
    }

    @Test func `a second request on the connection goes nowhere`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let client = try await proxy.connect()
        let request = "GET http://127.0.0.1:\(target.port)/first HTTP/1.1\r\n\r\n"
        try await client.send(request + request.replacing("first", with: "second"))
        let far = try await target.accept()
        try await far.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let answers = try await client.receiveAll()
        #expect(answers.split(separator: "HTTP/1.1 ").count == 1)
        let received = try await far.receiveAll()
        #expect(received.hasPrefix("GET /first ") && !received.contains("second"))
    }

    @Test func `a target that is not HTTP, or goes away, or changes the protocol, is 502`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        for answer in ["SSH-2.0-OpenSSH\r\n", "", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"] {
            async let text = proxy.exchange("GET http://127.0.0.1:\(target.port)/ HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            let far = try await target.accept()
            #expect(try await !far.receive(through: "\r\n\r\n").contains("pgrade"))
            try await far.send(answer)
            if answer.isEmpty { try await far.close() }
            let relayed = try await text
            #expect(relayed.hasPrefix("HTTP/1.1 502 "), "\(relayed)")
            #expect(try await proxy.record().verdict == .unreachable)
        }
    }
}
