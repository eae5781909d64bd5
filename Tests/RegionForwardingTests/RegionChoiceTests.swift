import EngineCore
import Foundation
import Logging
import NIOCore
import Placement
import Synchronization
import Testing

@testable import RegionForwarding

/// What a directory makes of what its regions have told. No region is there: what they said is put in.
@Suite struct RegionChoiceTests {
    /// A directory of three regions, 10, 20 and 30 ms away.
    private func with(
        rule: RegionChooser.Rule = .expected, _ body: (RegionDirectory, PinnedVersion) throws -> Void
    ) async throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "wayside-choice-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        try CertificateAuthority.create(in: url.path).issue(node: "pop-1", hosts: [])
        var configuration = ForwardingConfiguration()
        configuration.chooser.rule = rule
        let directory = try RegionDirectory(
            peers: (1...3).map { RegionPeer(name: "region-\($0)", url: "https://127.0.0.1:\(40_000 + $0)") },
            identity: try NodeIdentity(directory: url.path, node: "pop-1"), configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, package: { _ in ByteBuffer() })
        let result = Result {
            for number in 1...3 {
                let client = try #require(directory.client("region-\(number)"))
                client.noteRoundTrip(.milliseconds(10 * number), connections: 0)
            }
            try body(directory, try Sample.version(revision: "a"))
        }
        await directory.shutdown()
        try result.get()
    }

    private func tell(
        _ directory: RegionDirectory, _ number: Int, _ rows: [RegionReport.Row] = [], saturated: Bool = false, ago: Duration = .zero
    ) throws {
        let client = try #require(directory.client("region-\(number)"))
        let report = RegionReportsTests.report(rows, saturated: saturated)
        client.reports.withLock { $0.note(report, now: EngineInstant.now() + (.zero - ago)) }
    }

    private func warm(_ received: Double = 1000) -> RegionReport.Row {
        RegionReportsTests.row("a", sequence: 1, received: received, idle: 1)
    }

    private let held = RegionReportsTests.row("a", sequence: 1)

    @Test func `PLACE-10 a version nobody is known to hold goes to the nearest region, with its bytes`() async throws {
        try await with { directory, version in
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-1" && selection.suppliesIfMissing)
            #expect(selection.choice.scores.map(\.holdsVersion) == [false, false, false])
            #expect(selection.reachable == ["region-1", "region-2", "region-3"] && selection.declined.isEmpty)
        }
    }

    @Test func `PLACE-10 once a region holds the version the nearer ones that do not are passed over`() async throws {
        try await with { directory, version in
            try tell(directory, 3, [held])
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-3")
            #expect(selection.choice.scores.map(\.exclusion) == [.versionNotHeld, .versionNotHeld, nil])
            #expect(selection.choice.basis == .onlyOne)
            #expect(directory.holders(revision: "a") == ["region-3"])
            // It turns out not to hold it, and no other does: it is sent the version.
            #expect(selection.suppliesIfMissing)
            try tell(directory, 2, [held])
            let second = directory.choose(for: version)
            #expect(second.region == "region-2" && !second.suppliesIfMissing)
        }
    }

    @Test func `PLACE-14 when no holder can take the call another region gets the version`() async throws {
        try await with { directory, version in
            try tell(directory, 3, [held])
            let selection = directory.choose(for: version, tried: ["region-3"])
            #expect(selection.region == "region-1" && selection.suppliesIfMissing)
            let none = directory.choose(for: version, tried: ["region-1", "region-2", "region-3"])
            #expect(none.region == nil && none.declined == ["region-1", "region-2", "region-3"])
            #expect(none.reachable == ["region-1", "region-2", "region-3"])
        }
    }

    @Test func `PLACE-11 the far region wins by its own history, by what a cold start takes as it has measured it`() async throws {
        try await with { directory, version in
            for number in 1...2 { try tell(directory, number, [held]) }
            var row = warm()
            (row.coldStart, row.run) = (400, 5)
            try tell(directory, 3, [row])
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-3" && selection.choice.basis == .warmth)
            let scores = selection.choice.scores
            #expect(scores.map { $0.start.rounded() } == [400, 400, 0])
            #expect(scores[2].idleContainers == 1 && scores[2].lastReceived.map { $0 >= 1000 } == true)
            // A start that is shorter than the way is no reason to go far.
            #expect(directory.choose(for: version, coldStart: .milliseconds(5)).region == "region-1")
        }
    }

    @Test func `PLACE-12 when reports stop the choice falls back to distance and load, and says so`() async throws {
        try await with { directory, version in
            for number in 1...2 { try tell(directory, number, [held], ago: .seconds(6)) }
            try tell(directory, 3, [warm()], ago: .seconds(6))
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-1" && selection.choice.basis == .stale)
            #expect(selection.choice.scores.allSatisfy { $0.start == 0 && ($0.reportAge ?? 0) >= 6000 })
        }
    }

    @Test func `PLACE-14 a warm region that is full, by its word or its answer, is passed over`() async throws {
        try await with { directory, version in
            for number in 1...2 { try tell(directory, number, [held]) }
            try tell(directory, 3, [warm()], saturated: true)
            #expect(directory.choose(for: version).region == "region-1")
            try tell(directory, 3, [warm()])
            #expect(directory.choose(for: version).region == "region-3")
            try #require(directory.client("region-3")).noteRefusal()
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-1")
            #expect(selection.choice.scores.map(\.exclusion) == [nil, nil, .saturated])
        }
    }

    @Test func `PLACE-14 a warm region that is out of reach or slow is passed over`() async throws {
        try await with { directory, version in
            for number in 1...2 { try tell(directory, number, [held]) }
            try tell(directory, 3, [warm()])
            let client = try #require(directory.client("region-3"))
            client.noteFailure("test")
            #expect(directory.choose(for: version).choice.scores[2].exclusion == .unreachable)
            client.noteSuccess()
            // It may have begun anew: its warmth counts no more until it tells of it.
            #expect(directory.choose(for: version).choice.scores[2].reportAge == nil)
            #expect(directory.choose(for: version).region == "region-1")
            try tell(directory, 3, [warm()])
            #expect(directory.choose(for: version).region == "region-3")
            client.noteRoundTrip(.seconds(2), connections: 0)
            #expect(directory.choose(for: version).region != "region-3")
        }
    }

    @Test func `the nearest region is chosen whatever the others say when that is the rule`() async throws {
        try await with(rule: .nearest) { directory, version in
            try tell(directory, 3, [warm()])
            let selection = directory.choose(for: version)
            #expect(selection.region == "region-1" && selection.suppliesIfMissing)
        }
    }

    @Test func `an exchange that made its connection first is not taken for the round trip`() async throws {
        try await with { directory, _ in
            let client = try #require(directory.client("region-1"))
            client.noteRoundTrip(.seconds(9), connections: client.connectionCount - 1)
            #expect(directory.states().first?.roundTrip == .milliseconds(10))
        }
    }

    @Test func `PLACE-13 the hash that ties are drawn by is the same everywhere`() {
        // FNV-1a of the standard's test vectors.
        #expect(RegionDirectory.hash("") == 0xcbf2_9ce4_8422_2325)
        #expect(RegionDirectory.hash("a") == 0xaf63_dc4c_8601_ec8c)
    }
}
