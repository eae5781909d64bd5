@testable import EgressProxy
import EngineCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// What one account leaves for the others of the node.
@Suite(.timeLimit(.minutes(1))) struct ShareTests {
    /// Look-ups end when the test says so.
    private final class SlowResolver: EgressResolver {
        private let pending = Mutex<[(name: String, promise: EventLoopPromise<[IPAddress]>)]>([])
        private let (begun, begins) = AsyncStream.makeStream(of: String.self)

        /// Names whose look-ups are under way.
        var asked: [String] { pending.withLock { $0.map(\.name) } }

        func addresses(of name: String, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
            let promise = eventLoop.makePromise(of: [IPAddress].self)
            pending.withLock { $0.append((name, promise)) }
            begins.yield(name)
            return promise.futureResult
        }

        /// The names of the next `count` look-ups; fewer when the test's time is over before they have begun.
        func next(_ count: Int = 1) async -> [String] {
            var names: [String] = []
            for await name in begun.prefix(count) { names.append(name) }
            return names
        }

        func end(_ name: String) {
            let ended = pending.withLock { pending in
                defer { pending.removeAll { $0.name == name } }
                return pending.filter { $0.name == name }
            }
            for lookup in ended { lookup.promise.succeed([]) }
        }
    }

    private static func limits(_ change: (inout EgressLimits) -> Void) -> EgressLimits {
        var limits = EgressLimits()
        change(&limits)
        return limits
    }

    @Test func `an account whose name server never answers has four look-ups in all its containers, and others have theirs`() async throws {
        let shares = EgressShares()
        let silent = ScriptedResolver(isSilent: true)
        let limits = Self.limits { $0.connectTime = .milliseconds(300) }
        var containers: [ProxyUnderTest] = []
        for _ in 0..<3 {
            containers.append(
                try await ProxyUnderTest(["*.example.com"], account: "000000000001", limits: limits, shares: shares, resolver: silent))
        }
        var peers: [RawPeer] = []
        for container in containers {
            for index in 0..<4 {
                let peer = try await container.connect()
                try await peer.send("CONNECT slow\(index).example.com:443 HTTP/1.1\r\n\r\n")
                peers.append(peer)
            }
        }
        // Those that wait for their turn have no more time than those that have it.
        for peer in peers { #expect(try await peer.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 504 ")) }
        #expect(silent.asked.count == 4)
        let target = try await RawTarget()
        let other = try await ProxyUnderTest(
            ["api.example.com:\(target.port)", "127.0.0.1:\(target.port)"], account: "000000000002", limits: limits, shares: shares,
            resolver: ScriptedResolver(["api.example.com": [["127.0.0.1"]]]))
        let (_, answer) = try await other.tunnel(to: "api.example.com:\(target.port)")
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
    }

    @Test func `a look-up that ends makes room for another container of the account`() async throws {
        let shares = EgressShares()
        let resolver = SlowResolver()
        // Longer than the test may take: a connection whose time is over would not ask any more.
        let patient = Self.limits { ($0.headerTime, $0.connectTime, $0.idleTime) = (.seconds(600), .seconds(600), .seconds(600)) }
        let first = try await ProxyUnderTest(["*.example.com"], limits: patient, shares: shares, resolver: resolver)
        let second = try await ProxyUnderTest(["*.example.com"], limits: patient, shares: shares, resolver: resolver)
        var peers: [RawPeer] = []
        for index in 0..<EgressShares.lookupsPerAccount {
            let peer = try await first.connect()
            try await peer.send("CONNECT \(index).a.example.com:443 HTTP/1.1\r\n\r\n")
            peers.append(peer)
        }
        #expect(await resolver.next(EgressShares.lookupsPerAccount).count == EgressShares.lookupsPerAccount)
        let waiting = try await second.connect()
        try await waiting.send("CONNECT b.example.com:443 HTTP/1.1\r\n\r\n")
        // Behind its own, so that the one before is known to wait when this has been answered.
        #expect(try await second.exchange("CONNECT other.example:443 HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 403 "))
        #expect(!resolver.asked.contains("b.example.com"))
        resolver.end("0.a.example.com")
        #expect(try await peers[0].receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 502 "))
        #expect(await resolver.next() == ["b.example.com"])
        resolver.end("b.example.com")
        #expect(try await waiting.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 502 "))
        for index in 1..<EgressShares.lookupsPerAccount { resolver.end("\(index).a.example.com") }
        for peer in peers.dropFirst() { #expect(try await peer.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 502 ")) }
        try await first.server.close().get()
        try await second.server.close().get()
        #expect(shares.accountsOpen == 0)
    }

    @Test func `a turn goes past a container that has ended`() {
        let shares = EgressShares()
        let woken = Mutex<[String]>([])
        let (gone, next) = (SlowResolver(), SlowResolver())
        for _ in 0..<EgressShares.lookupsPerAccount { #expect(shares.takeLookup(of: "1", for: ObjectIdentifier(shares)) {}) }
        #expect(!shares.takeLookup(of: "1", for: ObjectIdentifier(gone)) { woken.withLock { $0.append("gone") } })
        #expect(!shares.takeLookup(of: "1", for: ObjectIdentifier(next)) { woken.withLock { $0.append("next") } })
        #expect(shares.takeLookup(of: "2", for: ObjectIdentifier(shares)) {})
        shares.withdraw(ObjectIdentifier(gone), of: "1")
        shares.endLookup(of: "1")
        #expect(woken.withLock { $0 } == ["next"])
        for _ in 0..<EgressShares.lookupsPerAccount { shares.endLookup(of: "1") }
        shares.endLookup(of: "2")
        #expect(shares.accountsOpen == 0)
    }

    @Test func `an account has a quarter of the node's connections over all its containers, and others have theirs`() async throws {
        let shares = EgressShares()
        let target = try await RawTarget()
        let authority = "127.0.0.1:\(target.port)"
        let limits = Self.limits { $0.nodeConnectionsMax = 8 }
        let open = { (account: String) in try await ProxyUnderTest([authority], account: account, limits: limits, shares: shares) }
        let (first, second, other) = (try await open("000000000001"), try await open("000000000001"), try await open("000000000002"))
        let (held, _) = try await first.tunnel(to: authority)
        let far = try await target.accept()
        let (_, granted) = try await second.tunnel(to: authority)
        #expect(granted.hasPrefix("HTTP/1.1 200 "))
        let (third, refused) = try await second.tunnel(to: authority)
        #expect(refused.hasPrefix("HTTP/1.1 503 "), "\(refused)")
        #expect(try await third.receiveAll().contains("the functions of the account have all that they may"))
        try await third.close()
        #expect(try await second.record().verdict == .tooManyConnections)
        let (_, elsewhere) = try await other.tunnel(to: authority)
        #expect(elsewhere.hasPrefix("HTTP/1.1 200 "), "\(elsewhere)")
        try await held.close()
        try await far.close()
        #expect(try await first.record().verdict == .relayed)
        let (_, again) = try await second.tunnel(to: authority)
        #expect(again.hasPrefix("HTTP/1.1 200 "), "\(again)")
        for proxy in [first, second, other] { try await proxy.server.close().get() }
        #expect(shares.accountsOpen == 0)
    }

    @Test func `the node's connections are limited over all accounts, also those that only wait for an answer`() {
        let shares = EgressShares()
        for account in ["1", "2", "3", "4"] {
            #expect(shares.admit(account, nodeMax: 4, isRefused: false) == .served)
            #expect(shares.admit(account, nodeMax: 4, isRefused: false) == .refused(.account))
            #expect(shares.admit(account, nodeMax: 4, isRefused: false) == .unanswered)
        }
        #expect(shares.admit("5", nodeMax: 4, isRefused: false) == .unanswered)
        shares.leave(.answered, of: "1")
        #expect(shares.admit("5", nodeMax: 4, isRefused: false) == .refused(.node))
        shares.leave(.served, of: "1")
        #expect(shares.admit("6", nodeMax: 4, isRefused: true) == .unanswered)
        #expect(shares.admit("6", nodeMax: 4, isRefused: false) == .served)
        #expect(shares.accountsOpen == 5)
    }

    @Test(arguments: [
        ("arn:aws:lambda:pop:000000000001:function:f", "000000000001"), ("arn:aws:lambda:pop:000000000001:function:f:7", "000000000001"),
        ("f", ""),
    ])
    func `the account is the fifth field of the function's name`(arn: String, account: String) {
        #expect(EgressShares.account(of: arn) == account)
    }
}
