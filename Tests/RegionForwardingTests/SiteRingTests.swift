import EngineCore
import HTTPTypes
import NIOCore
import RegionForwarding
import Testing

@Suite struct SiteRingTests {
    private let nodes = ["pop-1", "pop-2", "pop-3", "pop-4"]

    private func keys(_ count: Int) throws -> [SiteRing.Key] {
        let account = try #require(Sample.account)
        return (0..<count).map {
            .init(function: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .latest, value: "user-\($0)")
        }
    }

    @Test func `STICK-19 every frontend gives a value to the same node, in whatever order it knows them`() throws {
        let ring = SiteRing(nodes: nodes)
        let other = SiteRing(nodes: nodes.reversed() + ["pop-2"])
        for key in try keys(1000) {
            #expect(ring.order(of: key) == other.order(of: key))
            #expect(ring.owner(of: key) { _ in true } == ring.order(of: key).first)
        }
    }

    @Test func `STICK-19 values are spread evenly, and when a node goes only its own move, each to its next`() throws {
        let ring = SiteRing(nodes: nodes)
        var counts: [String: Int] = [:]
        var moved: [String: Int] = [:]
        for key in try keys(8000) {
            let order = ring.order(of: key)
            counts[order[0], default: 0] += 1
            let without = try #require(ring.owner(of: key) { $0 != "pop-3" })
            #expect(without == (order[0] == "pop-3" ? order[1] : order[0]))
            #expect(SiteRing(nodes: nodes.filter { $0 != "pop-3" }).owner(of: key) { _ in true } == without)
            if order[0] == "pop-3" { moved[without, default: 0] += 1 }
        }
        // Six standard deviations around 2,000, and around a third of what moved.
        #expect(counts.values.allSatisfy { (1767...2233).contains($0) }, "\(counts)")
        #expect(moved.count == 3 && moved.values.allSatisfy { (530...810).contains($0) }, "\(moved)")
    }

    @Test func `STICK-17 the scope counts: equal values of other functions, versions and accounts have nodes of their own`() throws {
        let ring = SiteRing(nodes: nodes)
        let account = try #require(AccountID("000000000001"))
        let owners = (1...64).map { number in
            ring.owner(
                of: .init(function: FunctionKey(account: account, region: "r", name: "f"), version: .published(number), value: "a")) { _ in
                    true
                }
        }
        #expect(Set(owners).count == 4)
    }

    @Test func `no node that can be reached is no owner`() throws {
        #expect(SiteRing(nodes: nodes).owner(of: try keys(1)[0]) { _ in false } == nil)
    }
}

@Suite struct ForwardedAffinityTests {
    private static func request(_ affinity: AffinityDemand?, deferral: Duration? = nil) throws -> InvocationRequest {
        var request = try Sample.request()
        request.affinity = affinity
        request.deferral = deferral
        return request
    }

    @Test(arguments: [
        AffinityDemand(value: "Grüße \"\u{1}😀", source: .body, mode: .require, busy: .overflow, waitMax: .milliseconds(250)),
        AffinityDemand(value: nil, container: .max, node: "pop-2", generation: .max, source: .token),
        AffinityDemand(value: String(repeating: "\u{1}", count: 256), tokenIsVoid: true, source: .token, busy: .reject),
    ])
    func `STICK-19 a forwarded call says which container it wants`(demand: AffinityDemand) throws {
        let request = try Self.request(demand, deferral: .seconds(60))
        let sent = ForwardedInvocation(request, reason: .affinityElsewhere, origin: "pop-1", now: request.arrival + .seconds(20))
        var body = sent.opening()
        let received = try ForwardedInvocation(opening: &body, from: "pop-1")
        #expect(received == sent && received.affinity == demand && received.deferralMilliseconds == 40_000)
        let there = received.request(of: request.function, payload: request.payload, arrival: request.arrival)
        #expect(there.affinity == demand && there.deferral == .seconds(40))
    }

    @Test func `a call that wants none, or whose time to begin later is over, has no such fields`() throws {
        let request = try Self.request(nil, deferral: .seconds(60))
        let call = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival + .seconds(61))
        let document = try RawDocument(opening: call.opening())
        #expect(document[13] == nil && document[14] == nil)
    }

    @Test(arguments: [
        ("affinity", ByteBuffer(string: "{}")), ("affinity", ByteBuffer(string: "not JSON")),
        ("affinity", ByteBuffer(repeating: UInt8(ascii: "A"), count: (3 << 10) + 1)), ("deferral", ByteBuffer(number: 0)),
        ("deferral", ByteBuffer(number: 900_001)), ("deferral", ByteBuffer(string: "x")),
    ])
    func `a demand that cannot be is refused by the field's name`(name: String, value: ByteBuffer) throws {
        let document = try ForwardedInvocationTests.document([name: value])
        #expect {
            try ForwardedInvocationTests.read(document)
        } throws: { error in
            (error as? ForwardingError)?.code == .invalidRequest && "\(error)".contains(name)
        }
    }

    @Test func `a demand with a value, a node or a wait beyond the limits is refused`() throws {
        for demand in [
            AffinityDemand(value: String(repeating: "a", count: 257), source: .literal), AffinityDemand(value: "", source: .literal),
            AffinityDemand(value: "a", node: "Pop 1", source: .token), AffinityDemand(value: "a", source: .literal, waitMax: .seconds(901)),
            AffinityDemand(value: "a", source: .literal, waitMax: .seconds(-1)),
            AffinityDemand(value: "a", source: .literal, waitMax: .seconds(Int64.max)),
        ] {
            let request = try Self.request(demand)
            var body = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival).opening()
            #expect { try ForwardedInvocation(opening: &body, from: "pop-1") } throws: { ($0 as? ForwardingError)?.code == .invalidRequest }
        }
    }

    @Test func `the answer brings back how the call came by its container`() throws {
        var result = try Sample.result(payload: .init(string: "{}"))
        var record = result.record
        var capacity = InvocationRecord.Capacity()
        capacity.container = 7
        capacity.generation = 3
        capacity.affinity = .init(source: .header, value: "a", result: .moved, isOverflow: true)
        record.capacity = capacity
        result = InvocationResult(outcome: result.outcome, log: result.log, record: record)
        var body = ByteBuffer()
        for section in try ForwardedAnswer(result).sections() { body.writeImmutableBuffer(section) }
        #expect(try ForwardedAnswer(body: body).remote.capacity == capacity)
    }

    @Test func `STICK-19 a function deployed to each node of a site is alike, whatever its revisions`() throws {
        let one = try Sample.version(revision: "a")
        #expect(one.isAlike(try Sample.version(revision: "b")))
        let account = try #require(Sample.account)
        let changed = PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .published(7), revision: "a",
            runtime: "python3.13", handler: "app.handler", memory: .mebibytes(256), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3), environment: ["GREETING": "Grüße"], codeDigest: one.codeDigest, codeSize: ByteCount(3))
        #expect(!one.isAlike(changed))
    }
}
