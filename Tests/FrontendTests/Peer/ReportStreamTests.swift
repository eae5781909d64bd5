import EngineCore
import Frontend
import NIOCore
import Placement
import RegionForwarding
import Testing

/// Reports of real regions reach a real POP over the loopback, and calls go where they say.
@Suite(.timeLimit(.minutes(1))) struct ReportStreamTests {
    /// A directory of `pop-1`'s to regions at these ports, running while `body` runs.
    private func withDirectory(
        _ fleet: Fleet, _ ports: [(String, Int)], configuration: ForwardingConfiguration = Self.quick,
        _ body: (RegionDirectory) async throws -> Void
    ) async throws {
        let directory = try RegionDirectory(
            peers: ports.map { RegionPeer(name: $0, url: "https://127.0.0.1:\($1)") }, identity: try fleet.identity("pop-1"),
            configuration: configuration, logger: Fleet.logger, package: { _ in ByteBuffer(bytes: Fleet.bundle) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await directory.run() }
            try await body(directory)
            group.cancelAll()
        }
    }

    private static let quick: ForwardingConfiguration = {
        var configuration = Fleet.patient
        configuration.probeInterval = .milliseconds(50)
        configuration.backoffMin = .milliseconds(20)
        configuration.reportSilenceMax = .seconds(20)
        return configuration
    }()

    /// Returns when the condition holds; the suite's time limit ends a test in which it never does.
    private func until(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    private func two(
        _ fleet: Fleet, first: [PinnedVersion], second: [PinnedVersion], handler: @escaping TestRegion.Handler = { .success($0.payload) },
        _ body: (TestRegion, TestRegion) async throws -> Void
    ) async throws {
        try await TestRegion.with(fleet, holding: first, handler: handler) { one in
            try await TestRegion.with(fleet, name: "region-2", holding: second, handler: handler) { two in
                one.tellHeld()
                two.tellHeld()
                try await body(one, two)
            }
        }
    }

    @Test func `PLACE-12 what a region receives is told to the POP, with idle containers and what a start took`() async throws {
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                region.tellHeld()
                try await withDirectory(fleet, [("region-1", region.now.port)]) { directory in
                    try await until { directory.holders(revision: version.revision) == ["region-1"] }
                    region.change { $0.idleContainers = 1 }
                    let client = try #require(directory.client("region-1"))
                    for _ in 0..<3 { _ = try await client.forward(try Fleet.request(), reason: .uncommon) }
                    func told() -> RegionVersionState? { directory.versions(of: "region-1", limit: 9)?.first }
                    try await until { told()?.calls == 3 && told()?.run != nil }
                    let row = try #require(told())
                    #expect(row.function == version.key.arn && row.version == version.version && row.isHeld)
                    #expect(row.idleContainers == 1 && row.lastReceived.map { $0 < .seconds(60) } == true)
                    let state = try #require(directory.states().first)
                    #expect(state.isReportFresh && state.heldCount == 1 && state.load == 0.25 && state.circuit == .closed)
                    // The container goes without a call.
                    region.change { $0.idleContainers = 0 }
                    try await until { told()?.idleContainers == 0 }
                }
            }
        }
    }

    @Test func `PLACE-10 the nearest region gets no call until it has the bytes`() async throws {
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            try await two(fleet, first: [], second: [version]) { near, far in
                try await withDirectory(fleet, [("region-1", near.now.port), ("region-2", far.now.port)]) { directory in
                    try await until { directory.holders(revision: version.revision) == ["region-2"] }
                    for _ in 0..<20 {
                        let selection = directory.choose(for: version)
                        #expect(selection.region == "region-2")
                        let client = try #require(directory.client("region-2"))
                        _ = try await client.forward(
                            try Fleet.request(), reason: .uncommon, suppliesIfMissing: selection.suppliesIfMissing)
                    }
                    #expect(near.now.requests.isEmpty && near.now.lookUpCount == 0 && far.now.requests.count == 20)
                    // It is replicated now: told, and then a candidate.
                    near.change {
                        $0.versions[version.revision] = version
                        $0.bundles.insert(version.codeDigest)
                    }
                    near.tellHeld()
                    try await until { directory.choose(for: version).choice.scores.allSatisfy { $0.exclusion == nil } }
                }
            }
        }
    }

    @Test func `PLACE-10 a region that lies about its versions is found out by one call and then passed over`() async throws {
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            try await two(fleet, first: [version], second: [version]) { liar, honest in
                try await withDirectory(fleet, [("region-1", liar.now.port), ("region-2", honest.now.port)]) { directory in
                    try await until { directory.holders(revision: version.revision).count == 2 }
                    liar.change { $0.versions = [:] }
                    let selection = directory.choose(for: version)
                    #expect(!selection.suppliesIfMissing)
                    let client = try #require(directory.client("region-1"))
                    await #expect {
                        try await client.forward(
                            try Fleet.request(), reason: .uncommon, suppliesIfMissing: selection.suppliesIfMissing)
                    } throws: {
                        let error = $0 as? InvocationError
                        return error?.code == .versionNotHeld && error?.surelyNotStarted == true
                    }
                    for _ in 0..<20 { #expect(directory.choose(for: version).region == "region-2") }
                    #expect(liar.now.lookUpCount == 1 && liar.now.uploadCount == 0)
                }
            }
        }
    }

    @Test func `PLACE-12 when the feed is cut the choice falls back to distance and load, and when it is mended it comes back`()
        async throws
    {
        let version = try Fleet.version()
        var configuration = Self.quick
        configuration.chooser.stalenessMax = 1.5
        configuration.reportSilenceMax = .milliseconds(500)
        try await Fleet.with { fleet in
            try await two(fleet, first: [version], second: [version]) { first, second in
                try await withDirectory(
                    fleet, [("region-1", first.now.port), ("region-2", second.now.port)], configuration: configuration
                ) { directory in
                    second.change { $0.idleContainers = 1 }
                    let client = try #require(directory.client("region-2"))
                    _ = try await client.forward(try Fleet.request(), reason: .uncommon)
                    func choose() -> RegionSelection { directory.choose(for: version, coldStart: .seconds(10)) }
                    try await until { choose().region == "region-2" && choose().choice.basis == .warmth }
                    for region in [first, second] { region.change { $0.isMute = true } }
                    try await until { choose().choice.basis == .stale }
                    #expect(choose().choice.scores.allSatisfy { $0.start == 0 })
                    for region in [first, second] { region.change { $0.isMute = false } }
                    try await until { choose().region == "region-2" && choose().choice.basis == .warmth }
                }
            }
        }
    }

    @Test func `PLACE-14 a region that refuses for lack of capacity is passed over for a while, and is no failure`() async throws {
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            try await two(
                fleet, first: [version], second: [version],
                handler: { _ throws(InvocationError) in throw InvocationError(.overloaded, "full") }
            ) { first, second in
                try await withDirectory(fleet, [("region-1", first.now.port), ("region-2", second.now.port)]) { directory in
                    try await until { directory.holders(revision: version.revision).count == 2 }
                    let client = try #require(directory.client("region-1"))
                    await #expect(throws: InvocationError.self) { try await client.forward(try Fleet.request(), reason: .uncommon) }
                    let state = try #require(directory.states().first)
                    #expect(state.isReachable && state.circuit == .closed)
                    #expect(directory.choose(for: version).region == "region-2")
                    try await until { directory.choose(for: version).choice.scores[0].exclusion == nil }
                }
            }
        }
    }

    @Test func `a region that drains ends its reports with that, and is not chosen`() async throws {
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            try await two(fleet, first: [version], second: [version]) { first, second in
                try await withDirectory(fleet, [("region-1", first.now.port), ("region-2", second.now.port)]) { directory in
                    try await until { directory.holders(revision: version.revision).count == 2 }
                    first.change { $0.isDraining = true }
                    first.feed.conditionChanged()
                    try await until { directory.choose(for: version).choice.scores[0].exclusion == .unreachable }
                    await first.now.shutDown()
                    // A stream that stayed would hold the server up.
                    while await Relay.accepts(first.now.port) { await Task.yield() }
                }
            }
        }
    }

    private static func feed(streamsMax: Int = 512) -> ReportFeed {
        var limits = ReportFeed.Limits()
        limits.streamsMax = streamsMax
        return ReportFeed(node: "region-1", limits: limits, idleContainers: { _ in 0 }) {
            ReportFeed.Condition(load: 0, isSaturated: false, isDraining: false)
        }
    }

    /// The signals of an ended subscription.
    private func count(_ subscription: ReportFeed.Subscription) async -> Int {
        var signals = 0
        for await _ in subscription.signals { signals += 1 }
        return signals
    }

    @Test func `more readers than permitted are refused, and one that leaves makes room`() async throws {
        let feed = Self.feed(streamsMax: 2)
        let first = try feed.subscribe(peer: "pop-1")
        _ = try feed.subscribe(peer: "pop-2")
        #expect { try feed.subscribe(peer: "pop-3") } throws: { ($0 as? InvocationError)?.code == .overloaded }
        feed.unsubscribe(first)
        feed.unsubscribe(first)
        _ = try feed.subscribe(peer: "pop-3")
        // What was subscribed has a first signal; what was ended has no other.
        #expect(await count(first) == 1)
    }

    @Test func `a peer that asks for reports once more than it may loses the oldest stream, however many links it has lost`() async throws {
        let feed = Self.feed()
        let streams = try (0..<5).map { _ in try feed.subscribe(peer: "pop-1") }
        for stream in streams.prefix(3) { #expect(await count(stream) == 1) }
        // The others go on.
        for stream in streams.suffix(2) {
            _ = feed.report(since: 0, to: stream)
            feed.conditionChanged()
            feed.unsubscribe(stream)
            #expect(await count(stream) == 1)
        }
    }

    @Test func `a reader has one signal for all that happens until it looks, and misses nothing that happens then`() async throws {
        let feed = Self.feed()
        let reader = try feed.subscribe(peer: "pop-1")
        var signals = reader.signals.makeAsyncIterator()
        _ = await signals.next()
        let versions = try (0..<3).map { VersionIdentity(try Fleet.version(revision: "r\($0)")) }
        // Between its signal and its look.
        feed.hold([versions[0]])
        let first = feed.report(since: 0, to: reader)
        #expect(first.rows.map(\.revision) == ["r0"])
        for version in versions.dropFirst() { feed.hold([version]) }
        _ = await signals.next()
        let second = feed.report(since: first.sequence, to: reader)
        #expect(second.rows.map(\.revision) == ["r1", "r2"])
        feed.unsubscribe(reader)
        #expect(await signals.next() == nil)
    }
}
