import EngineCore
import Testing

@testable import WaysideCommands

@Suite struct TimelineTests {
    static func record() throws -> InvocationRecord {
        var record = InvocationRecord(
            requestID: try #require(RequestID("81230cb6-e179-498b-9a55-e1f2597bb53b")), functionARN: Samples.function("hello").arn,
            version: .latest, account: Samples.function("hello").account, node: "pop-1", decision: .forward, reason: .uncommon,
            site: "region-2", startLevel: .instance, arrivalEpochSeconds: 1_000_000, outcome: .success, endingParty: .function,
            memoryLimit: ByteCount(128 << 20), requestByteCount: 8)
        record.spans.decide = 2
        record.note(
            InvocationTry(
                at: "region-1", InvocationError(.overloaded, "Region region-1 is unreachable.", stage: .beforeSend), began: 2, took: 8))
        record.spans.forward = 40
        record.spans.total = 50
        record.regions = RegionChoice(
            basis: .distance,
            scores: [
                RegionScore(
                    region: "region-1", exclusion: .tried, roundTrip: 4, queueing: 0, start: 0, holdsVersion: true, load: 0, underWay: 0),
                RegionScore(
                    region: "region-2", roundTrip: 20, queueing: 1, start: 0, holdsVersion: true, load: 0.5, underWay: 0),
            ])
        record.placement = PlacementBasis(
            policy: .frequency, callsPerHalfLife: 1.5, isFrequent: false, coldStart: 210, roundTrip: 20, memory: ByteCount(128 << 20),
            freeMemory: ByteCount(1 << 30), freeSlots: 12, isCodeHere: true)
        var there = InvocationRecord.Spans()
        there.decide = 1
        there.start = 9
        there.run = 10
        there.total = 20
        record.remote = .init(node: "region-2", reason: .region, startLevel: .instance, spans: there)
        return record
    }

    @Test func `the parts of both nodes lie on one line of time, the region's in the middle of the way to it`() throws {
        let chart = SpanChart(try Self.record())
        #expect(
            chart.rows.map { "\($0.depth) \($0.name) \($0.began)+\($0.took)" } == [
                "0 pop-1 0.0+50.0", "1 decide 0.0+2.0", "1 try region-1 2.0+8.0", "1 way 10.0+20.0", "1 region-2 20.0+20.0",
                "2 decide 20.0+1.0", "2 start 21.0+9.0", "2 run 30.0+10.0",
            ])
        #expect(
            chart.render(width: 80).map { $0.drop { $0 != "▇" && $0 != "m" } }.prefix(5).map(String.init) == [
                "ms  " + String(repeating: "▇", count: 50), "ms  ▇▇", "ms    ▇▇▇▇▇▇▇▇",
                "ms            ▇▇▇▇▇▇▇▇▇▇                    ▇▇▇▇▇▇▇▇▇▇", "ms                      ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇",
            ].map { $0 })
    }

    @Test func `seen from the region, what came before it is drawn too, as far as it is known`() throws {
        let sent = try Self.record()
        var record = sent
        record.node = "region-2"
        record.decision = .run
        record.reason = .region
        record.forwardedBy = "pop-1"
        record.hops = 1
        record.origin = ForwardOrigin(sent, to: "region-2", elapsed: 10)
        record.remote = nil
        record.tries = nil
        record.spans = try #require(sent.remote).spans
        #expect(
            SpanChart(record).rows.map { "\($0.depth) \($0.name) \($0.began)+\($0.took)\($0.isExpected ? "?" : "")" } == [
                "0 pop-1 0.0+40.0?", "1 decide 0.0+10.0", "1 way 10.0+10.0?", "1 region-2 20.0+20.0", "2 decide 20.0+1.0",
                "2 start 21.0+9.0", "2 run 30.0+10.0",
            ])
        let text = InvocationTimeline(record: record, columns: 80, tableColumns: 80).render()
        for words in [
            "pop-1 forwarded it 10.0 ms after its arrival, because uncommon", "chose among 2 by way and queue", "tried region-1: not sent",
            "1.5 calls in a half-life",
        ] {
            #expect(text.contains(words), "\(text)")
        }
    }

    @Test(arguments: [80, 200]) func `no line is wider than the screen, and nothing of the way is missing`(width: Int) throws {
        let text = InvocationTimeline(record: try Self.record(), columns: width, tableColumns: width).render()
        let lines = text.split(separator: "\n").dropFirst()
        #expect((lines.map { Terminal.places(String($0)) }.max() ?? 0) <= width, "\(text)")
        for words in ["not frequent", "cold start 210 ms", "12 slots", "region chosen", "region-1 after", "not sent", "way", "there"] {
            #expect(text.contains(words), "\(words) in \(text)")
        }
    }

    @Test func `the first lines say when, what came of it, and where and why`() throws {
        let lines = InvocationTimeline(record: try Self.record(), columns: 120, tableColumns: 120).render().split(separator: "\n")
        #expect(
            lines[1...4] == [
                "  called     1970-01-12 13:46:40Z at pop-1, over after 50.0 ms", "  end        success, by function",
                "  forward    at region-2, because uncommon: it is called too rarely to be worth a container here; start instance",
                "  tried      region-1 after 2.00 ms, for 8.00 ms: not sent, overloaded: Region region-1 is unreachable.",
            ])
    }

    @Test(arguments: [
        (ForwardStage.overtaken, InvocationRecord.Outcome.success, "may have run 2 times; its owner permits that (--idempotent)"),
        (.afterSend, .success, "may have run 2 times"), (.midResult, .engineError, "may have run, and its result did not come whole"),
    ])
    func `where a call may have run more or less than once, it is said`(
        stage: ForwardStage, outcome: InvocationRecord.Outcome, words: String
    ) throws {
        var record = try Self.record()
        #expect(InvocationTimeline.doubt(record) == nil)
        record.outcome = outcome
        record.note(InvocationTry(at: "region-3", InvocationError(.regionFailed, "It is gone.", stage: stage), began: 10, took: 5))
        let text = InvocationTimeline(record: record, columns: 120, tableColumns: 120).render()
        #expect(text.contains("region-3 after 10.0 ms, for 5.00 ms: \(DecisionWords.stage(stage))"))
        #expect(text.contains("the call \(words)"), "\(text)")
    }

    @Test func `that an older version ran, and which, is said before anything else of the way`() throws {
        var record = try Self.record()
        record.staleRevision = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
        let lines = InvocationTimeline(record: record, columns: 120, tableColumns: 120).render().split(separator: "\n")
        #expect(lines[4].hasPrefix("  stale      ran $LATEST as of revision 6f9619ff-8b86-d011-b42d-00cf4fc964ff, for the code"))
    }
}
