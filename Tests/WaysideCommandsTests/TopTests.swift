import EngineCore
import Foundation
import Testing
@testable import WaysideCommands

@Suite struct TopTests {
    @Test(arguments: [(80, 24), (200, 50), (80, 10), (40, 12), (200, 24), (20, 4)])
    func `POOL-24 the live screen is exactly as high as the terminal, and nowhere wider`(width: Int, height: Int) {
        let lines = Samples.moment(functions: 20).render(width: width, height: height)
        #expect(lines.count == height)
        #expect(lines.allSatisfy { $0.count <= width })
        #expect(lines.last == "q ends")
    }

    @Test func `the screen shows memory, waiting calls, the price, sub-pools and the busiest functions first`() throws {
        let text = Samples.moment().render(width: 200, height: 40).joined(separator: "\n")
        #expect(text.contains("wayside pop-1") && text.contains("2.5 GiB of 4 GiB held") && text.contains("3 for a lower price"))
        #expect(text.contains("variable/spot 4.50 for a GiB-hour") && text.contains("general/python/128"))
        let places = try (0..<3).map { try #require(text.range(of: "function-\($0)")).lowerBound }
        #expect(places == places.sorted())
        #expect(text.contains("10.0 ms"))
    }

    @Test func `what does not fit is counted`() {
        let lines = Samples.moment(functions: 30).render(width: 80, height: 24)
        #expect(lines.contains { $0.hasPrefix("and ") && $0.hasSuffix(" more") })
        let shown = lines.count { $0.hasPrefix("function-") }
        #expect(lines.contains("and \(30 - shown) more"))
    }

    @Test func `a node that no longer answers is said on the screen, with the last that is known`() {
        let lines = Samples.moment().render(width: 120, height: 24, trouble: "No node answers.")
        #expect(lines.last?.hasPrefix("no answer since ") == true && lines.last?.hasSuffix("No node answers.") == true)
        #expect(lines.contains { $0.hasPrefix("general/python/128") })
    }

    @Test func `rates are over the window, or over what the newest records span`() {
        let now = Samples.now
        let few = [1.0, 2, 60].map { Samples.record("f", before: $0, now: now) }
        let rates = FunctionRates(few, limit: 500, now: now)
        #expect(rates.seconds == 10 && rates.rates.map(\.calls) == [2] && rates.callsPerSecond == 0.2)
        let many = (0..<100).map { Samples.record("f", before: Double($0) / 100, now: now) }
        let busy = FunctionRates(many, limit: 100, now: now)
        #expect(busy.seconds < 1.1 && busy.callsPerSecond > 90)
        let mixed = FunctionRates(
            [
                Samples.record("f", before: 1, now: now, milliseconds: 5, start: .instance),
                Samples.record("f", before: 1, now: now, milliseconds: 50, start: nil, decision: .forward),
                Samples.record("f", before: 1, now: now, milliseconds: 500, outcome: .functionError),
            ], limit: 500, now: now)
        #expect(mixed.rates.map { [$0.warm, $0.forwarded, $0.failed] } == [[1, 1, 1]])
        #expect(mixed.rates[0].medianMilliseconds == 50 && mixed.rates[0].longestMilliseconds == 500)
        #expect(FunctionRates([], limit: 500, now: now).rates.isEmpty)
    }

    @Test func `a frame overwrites in place, and clears only what is left of each line`() {
        #expect(LiveScreen.frame(["a", "b"]) == "\u{1b}[?2026h\u{1b}[Ha\u{1b}[K\r\nb\u{1b}[K\u{1b}[J\u{1b}[?2026l")
    }

    @Test func `an explained call says where its container came from and why it was not warm`() {
        var capacity = InvocationRecord.Capacity()
        capacity.subPool = Samples.subPools[1].name
        capacity.instance = 3
        capacity.container = 12
        capacity.branch = .warmingPool
        capacity.waitedFor = .shortage
        capacity.coldCause = .evicted
        capacity.affinity = .init(source: .header, value: "alice", result: .moved, isOverflow: true)
        #expect(
            InvocationTimeline.capacity(capacity) == [
                "container 12 in instance 3 of general/python/128, an instance of the warming pool", "waited for free capacity",
                "began cold, because its last one had given way to others", "routed by header 'alice': moved, its container was busy",
            ])
        var refused = InvocationRecord.Capacity()
        refused.refusal = .noPermission
        #expect(InvocationTimeline.capacity(refused) == ["got no capacity: no permission"])
    }
}
