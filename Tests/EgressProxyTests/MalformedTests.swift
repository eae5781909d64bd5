import EgressProxy
import EngineCore
import NIOCore
import Testing

/// Requests that two programs could read in two ways. Everything is listed, so that nothing but their form refuses them.
@Suite(.timeLimit(.minutes(1))) struct MalformedTests {
    static let requests: [String] = [
        "\r\n\r\n\0", "nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET http://127.0.0.1/ HTTP/2.0\r\n\r\n",
        "GET http://127.0.0.1/ HTTP/1.1 extra\r\n\r\n", "GET http:///path HTTP/1.1\r\n\r\n", "GET https://127.0.0.1/ HTTP/1.1\r\n\r\n",
        "GET ftp://127.0.0.1/ HTTP/1.1\r\n\r\n", "GET http://user:word@127.0.0.1/ HTTP/1.1\r\n\r\n",
        "GET http://listed.example@127.0.0.1/ HTTP/1.1\r\n\r\n", "GET http://127.0.0.1\\@listed.example/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1/#part HTTP/1.1\r\n\r\n", "GET http://127.0.0.1:80:80/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:/ HTTP/1.1\r\n\r\n", "GET http://127.0.0.1:0/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:65536/ HTTP/1.1\r\n\r\n", "GET http://127.0.0.1:+80/ HTTP/1.1\r\n\r\n",
        "GET http://%31%32%37.0.0.1/ HTTP/1.1\r\n\r\n", "GET http://[::1/ HTTP/1.1\r\n\r\n", "GET http://[127.0.0.1]/ HTTP/1.1\r\n\r\n",
        "GET http://[fe80::1%25lo]/ HTTP/1.1\r\n\r\n", "GET http://::1/ HTTP/1.1\r\n\r\n", "CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n",
        "CONNECT http://127.0.0.1:80/ HTTP/1.1\r\n\r\n", "CONNECT / HTTP/1.1\r\n\r\n", "CONNECT 0x7f.1:80 HTTP/1.1\r\n\r\n",
        "CONNECT 017700000001:80 HTTP/1.1\r\n\r\n", "CONNECT 2130706433:80 HTTP/1.1\r\n\r\n", "CONNECT 127.1:80 HTTP/1.1\r\n\r\n",
        "CONNECT 127.0.0.01:80 HTTP/1.1\r\n\r\n", "CONNECT 127.0.0.1.:80 HTTP/1.1\r\n\r\n", "CONNECT 0x7f000001:80 HTTP/1.1\r\n\r\n",
        "CONNECT listed..example:80 HTTP/1.1\r\n\r\n", "CONNECT :80 HTTP/1.1\r\n\r\n", "CONNECT user@127.0.0.1:80 HTTP/1.1\r\n\r\n",
        "CONNECT 127.0.0.1:80 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: -3\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 0x3\r\n\r\nabc",
        "POST http://127.0.0.1/ HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET http://127.0.0.1/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\0b\r\n\r\n", "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\rY: b\r\n\r\n",
        "GET http://127.0.0.1/ HTTP/1.1\r\n: empty\r\n\r\n", "GET http://127.0.0.1/ HTTP/1.1\r\nX y: z\r\n\r\n",
        "GET http://127.0.0.1/\u{e9} HTTP/1.1\r\n\r\n",
    ]

    @Test(arguments: requests)
    func `a request that can be misread is refused before anything is connected to`(request: String) async throws {
        let resolver = ScriptedResolver()
        let proxy = try await ProxyUnderTest(["127.0.0.0/8:1-65535", "listed.example:1-65535", "[::1]:1-65535"], resolver: resolver)
        let answer = try await proxy.exchange(request)
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"), "\(answer)")
        let record = try await proxy.record()
        #expect(record.verdict == .malformed && record.address == nil, "\(record)")
        #expect(resolver.asked == [])
        #expect(record.description.utf8.allSatisfy { $0 >= 0x20 })
    }

    @Test func `a body that ends early, or is no chunks, ends the connection and is never completed`() async throws {
        let target = try await RawTarget()
        let proxy = try await ProxyUnderTest(["127.0.0.1:\(target.port)"])
        let url = "http://127.0.0.1:\(target.port)/"
        for (request, rest) in [
            ("POST \(url) HTTP/1.1\r\nContent-Length: 10\r\n\r\n123", ""),
            ("POST \(url) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "zz\r\n"),
            ("POST \(url) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "-1\r\n\r\n"),
        ] {
            let client = try await proxy.connect()
            try await client.send(request)
            let far = try await target.accept()
            _ = try await far.receive(through: "\r\n\r\n")
            if rest.isEmpty { try await client.halfClose() } else { try await client.send(rest) }
            let received = try await far.receiveAll()
            #expect(!received.contains("0\r\n\r\n"), "\(received)")
            #expect(try await proxy.record().verdict == .malformed)
        }
    }
}
