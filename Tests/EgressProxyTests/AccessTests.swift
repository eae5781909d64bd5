import EgressProxy
import EngineCore
import NIOCore
import NIOPosix
import Testing

/// What is refused, before a byte or even a look-up leaves this machine.
@Suite(.timeLimit(.minutes(1))) struct AccessTests {
    @Test func `a name that is not listed is refused without a look-up, and the answer names the entry`() async throws {
        let resolver = ScriptedResolver(["other.example": [["127.0.0.1"]]])
        let proxy = try await ProxyUnderTest(["api.example.com:443", "127.0.0.0/8:443"], resolver: resolver)
        let answer = try await proxy.exchange("CONNECT Other.Example:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 403 Forbidden\r\n"))
        #expect(answer.hasSuffix("This entry would: other.example:443\n"))
        let record = try await proxy.record()
        #expect(record.verdict == .deniedTarget && record.target == "other.example:443" && record.address == nil)
        #expect(record.sent == .zero && record.received == .zero)
        #expect(resolver.asked == [])
    }

    @Test func `a port that is not listed is refused, for names and addresses, with CONNECT and without`() async throws {
        let resolver = ScriptedResolver(["api.example.com": [["127.0.0.1"]]])
        let proxy = try await ProxyUnderTest(["api.example.com:443", "127.0.0.1:443"], resolver: resolver)
        for (request, entry) in [
            ("CONNECT api.example.com:25 HTTP/1.1\r\n\r\n", "api.example.com:25"),
            ("CONNECT 127.0.0.1:25 HTTP/1.1\r\n\r\n", "127.0.0.1:25"),
            ("GET http://api.example.com/ HTTP/1.1\r\nHost: x\r\n\r\n", "api.example.com:80"),
            ("CONNECT [2001:DB8::1]:443 HTTP/1.1\r\n\r\n", "[2001:db8::1]:443"),
        ] {
            let answer = try await proxy.exchange(request)
            #expect(answer.hasPrefix("HTTP/1.1 403 ") && answer.hasSuffix("This entry would: \(entry)\n"), "\(request) \(answer)")
            #expect(try await proxy.record().verdict == .deniedTarget)
        }
        #expect(resolver.asked == [])
    }

    @Test(
        arguments: [
            "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0",
            "::", "fd00:ec2::254", "fe80::1", "224.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "168.63.129.16", "255.255.255.255",
        ])
    func `a listed name that leads to a special address is refused`(address: String) async throws {
        let target = try await RawTarget()
        let resolver = ScriptedResolver(["rebind.example.com": [[address]]])
        let entries = ["rebind.example.com:\(target.port)", "0.0.0.0/0:1-65535", "[::]/0:1-65535"]
        let proxy = try await ProxyUnderTest(entries, resolver: resolver)
        let (_, answer) = try await proxy.tunnel(to: "rebind.example.com:\(target.port)")
        #expect(answer.hasPrefix("HTTP/1.1 403 "))
        let record = try await proxy.record()
        #expect(record.verdict == .deniedAddress && record.address == nil)
    }

    @Test func `of a name's addresses only those that are permitted are tried, in whatever order they come`() async throws {
        let target = try await RawTarget()
        let resolver = ScriptedResolver([
            "mixed.example.com": [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "169.254.169.254", "127.0.0.1"], ["::1", "10.0.0.1"]]
        ])
        let proxy = try await ProxyUnderTest(["mixed.example.com:\(target.port)", "127.0.0.1:\(target.port)"], resolver: resolver)
        for _ in 0..<2 {
            let (client, answer) = try await proxy.tunnel(to: "mixed.example.com:\(target.port)")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            let far = try await target.accept()
            try await client.close()
            try await far.close()
            #expect(try await proxy.record().address == "127.0.0.1:\(target.port)")
        }
        // The name has turned: what was permitted a moment ago says nothing about now.
        let (_, answer) = try await proxy.tunnel(to: "mixed.example.com:\(target.port)")
        #expect(answer.hasPrefix("HTTP/1.1 403 "))
        #expect(try await proxy.record().verdict == .deniedAddress)
        #expect(resolver.asked.count == 3)
    }

    @Test func `the next address is tried when one does not answer`() async throws {
        let target = try await RawTarget()
        let resolver = ScriptedResolver(["two.example.com": [["127.0.0.2", "127.0.0.1"]]])
        let proxy = try await ProxyUnderTest(["two.example.com:\(target.port)", "127.0.0.0/8:\(target.port)"], resolver: resolver)
        let (_, answer) = try await proxy.tunnel(to: "two.example.com:\(target.port)")
        #expect(answer.hasPrefix("HTTP/1.1 200 "))
        _ = try await target.accept()
        try await proxy.server.close().get()
        #expect(try await proxy.record().address == "127.0.0.1:\(target.port)")
    }

    /// An address of this machine that is not loopback, where a careless service may listen.
    static let ownAddress = ((try? System.enumerateDevices()) ?? []).compactMap { $0.address?.ipAddress }.compactMap { IPAddress($0) }
        .first { !$0.isLoopback && EgressPolicy.specialPurpose(of: $0)?.hasPrefix("link-local") != true }

    @Test(.enabled(if: ownAddress != nil, "this machine has no address but loopback"))
    func `an answer of the resolver is no permission for this machine's other addresses`() async throws {
        let address = try #require(Self.ownAddress)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(
            host: address.description, port: 0
        ).get()
        let port = try #require(listener.localAddress?.port)
        let resolver = ScriptedResolver(["own.example.com": [[address.description]]])
        let network = IPNetwork(of: address, prefixLength: address.family == .v4 ? 31 : 127)
        let wide = "\(network.first.authority)/\(network.prefixLength):\(port)"
        let proxy = try await ProxyUnderTest(["own.example.com:\(port)", wide], resolver: resolver)
        let (_, answer) = try await proxy.tunnel(to: "own.example.com:\(port)")
        #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(answer)")
        #expect(try await proxy.record().verdict == .deniedAddress)
        let exact = try await ProxyUnderTest(["own.example.com:\(port)", "\(address.authority):\(port)"], resolver: resolver)
        let (_, granted) = try await exact.tunnel(to: "own.example.com:\(port)")
        #expect(granted.hasPrefix("HTTP/1.1 200 "), "\(granted)")
        try await listener.close()
    }

    @Test(.enabled(if: ownAddress != nil, "this machine has no address but loopback"))
    func `this machine's other addresses are refused before they are connected to`() async throws {
        let address = try #require(Self.ownAddress)
        // Nobody listens there any more: who tried to connect would be told that it is unreachable.
        let gone = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: address.description, port: 0).get()
        let port = try #require(gone.localAddress?.port)
        try await gone.close()
        let resolver = ScriptedResolver(["own.example.com": [[address.description]]])
        let network = IPNetwork(of: address, prefixLength: address.family == .v4 ? 31 : 127)
        let proxy = try await ProxyUnderTest(
            ["own.example.com:\(port)", "\(network.first.authority)/\(network.prefixLength):\(port)"], resolver: resolver)
        for (host, verdict) in [("own.example.com", EgressRecord.Verdict.deniedAddress), (address.authority, .deniedTarget)] {
            let (_, answer) = try await proxy.tunnel(to: "\(host):\(port)")
            #expect(answer.hasPrefix("HTTP/1.1 403 "), "\(answer)")
            #expect(try await proxy.record().verdict == verdict)
        }
    }

    @Test func `the proxy does not connect to itself`() async throws {
        let proxy = try await ProxyUnderTest(["127.0.0.0/8:1-65535"])
        let (_, answer) = try await proxy.tunnel(to: "127.0.0.1:\(proxy.port)")
        #expect(answer.hasPrefix("HTTP/1.1 403 "))
        #expect(try await proxy.record().verdict == .deniedTarget)
    }

    @Test func `a name without address, and an address without listener, are 502`() async throws {
        // A listener that has gone leaves a port that nobody listens on.
        let gone = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(gone.localAddress?.port)
        try await gone.close()
        let proxy = try await ProxyUnderTest(["none.example.com:443", "127.0.0.1:\(port)"])
        let (_, unresolvable) = try await proxy.tunnel(to: "none.example.com:443")
        #expect(unresolvable.hasPrefix("HTTP/1.1 502 "))
        #expect(try await proxy.record().verdict == .unresolvable)
        let (_, unreachable) = try await proxy.tunnel(to: "127.0.0.1:\(port)")
        #expect(unreachable.hasPrefix("HTTP/1.1 502 "))
        #expect(try await proxy.record().verdict == .unreachable)
    }

    @Test func `the system's resolver gives every address of a name, and none for what is no name`() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let addresses = try await SystemEgressResolver.shared.addresses(of: "localhost", on: eventLoop).get()
        #expect(addresses.allSatisfy(\.isLoopback) && !addresses.isEmpty)
        await #expect(throws: (any Error).self) {
            try await SystemEgressResolver.shared.addresses(of: "no-such-name.invalid", on: eventLoop).get()
        }
    }
}
