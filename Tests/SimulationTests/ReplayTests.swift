import Placement
import Simulation
import Testing

/// Hand-checked examples: one node, functions of 100 MB that start in 200 ms and have a region 30 ms away.
struct ReplayTests {
    private func trace(_ arrivals: [Double], _ functions: [Int32], run: Float = 1, cold: Double = 0.2) -> Trace {
        let costs = Trace.Costs(memory: 100, coldStart: cold, roundTrip: 0.03)
        return Trace(
            arrivals: arrivals, functions: functions, durations: functions.map { _ in run },
            costs: Array(repeating: costs, count: Int(functions.max() ?? 0) + 1))
    }

    static let policies: [Replay.Policy] = [
        .market(prewarms: true), .market(prewarms: false), .fixedKeepAlive(seconds: 600), .leastRecentlyUsed, .greedyDual,
        .hybridHistogram, .forwardAll,
    ]

    @Test func `two functions that take turns in one place start cold each time`() {
        let replay = Replay(trace([0, 10, 20, 30], [0, 1, 0, 1]), capacity: 100, hasRegions: false)
        let result = replay.run(.leastRecentlyUsed)
        #expect(result.coldPart == 1)
        #expect(abs(result.meanLatency - 0.2) < 1e-9)
    }

    @Test func `calls at once need a container each`() {
        let result = Replay(trace([0, 0.5, 5], [0, 0, 0]), capacity: 300, hasRegions: false).run(.leastRecentlyUsed)
        #expect(result.coldPart == 2.0 / 3)
        #expect(result.hitPart == 1.0 / 3)
    }

    @Test func `a fixed keep-alive ends what is idle for longer`() {
        let replay = Replay(trace([0, 100, 1000], [0, 0, 0]), capacity: 300, hasRegions: false)
        #expect(replay.run(.fixedKeepAlive(seconds: 600)).coldPart == 2.0 / 3)
        #expect(replay.run(.leastRecentlyUsed).coldPart == 1.0 / 3)
    }

    @Test func `a call that nothing can hold is dropped without regions and forwarded with them`() {
        let calls = trace([0, 0.1], [0, 1])
        #expect(Replay(calls, capacity: 50, hasRegions: false).run(.leastRecentlyUsed).droppedPart == 1)
        #expect(Replay(calls, capacity: 50).run(.market(prewarms: true)).forwardedPart == 1)
    }

    @Test func `a call that may wait gets the room that another leaves, and the wait counts`() {
        // The first runs for a second after its start; the second comes half a second later and needs the same place.
        var replay = Replay(trace([0, 0.5], [0, 1]), capacity: 100, hasRegions: false)
        #expect(replay.run(.leastRecentlyUsed).droppedPart == 0.5)
        replay.waitMax = 10
        let result = replay.run(.leastRecentlyUsed)
        #expect(result.droppedPart == 0)
        #expect(result.waitedPart == 0.5)
        // 200 ms for the first; 700 ms of waiting and 200 ms of its own start for the second.
        #expect(abs(result.meanLatency - (0.2 + 0.9) / 2) < 1e-6)
        replay.waitMax = 0.5
        #expect(replay.run(.leastRecentlyUsed).droppedPart == 0.5)
    }

    @Test(arguments: policies) func `every call is counted once and memory is never exceeded`(policy: Replay.Policy) {
        var arrivals: [Double] = []
        var functions: [Int32] = []
        for call in 0..<3_000 {
            arrivals.append(Double(call) * 0.37)
            functions.append(Int32(call % 7 == 0 ? 1 : 0))
        }
        let result = Replay(trace(arrivals, functions, run: 0.9), capacity: 250).run(policy)
        #expect(result.calls == 3_000)
        #expect(abs(result.hitPart + result.coldPart + result.forwardedPart + result.droppedPart - 1) < 1e-9)
        #expect(result.heldGigabytes * 1024 <= 250 * 1.001)
        #expect(result.busyGigabytes <= result.heldGigabytes * 1.001)
    }

    @Test func `one seed gives one result`() {
        let replay = Replay(trace((0..<2_000).map { Double($0) * 0.7 }, (0..<2_000).map { Int32($0 % 2) }), capacity: 150)
        #expect(replay.run(.market(prewarms: true)) == replay.run(.market(prewarms: true)))
    }

    @Test func `the market starts what is regular shortly before it is called`() {
        // Ten functions in room for two, each called every five minutes: what is kept is hardly ever what is called next.
        let arrivals = (0..<400).map { Double($0) * 30 }
        var calls = trace(arrivals, arrivals.indices.map { Int32($0 % 10) }, run: 0.05)
        calls.costs = calls.costs.map { Trace.Costs(memory: $0.memory, coldStart: 0.2, roundTrip: 0.15) }
        let replay = Replay(calls, capacity: 200, warmUp: 6000)
        let result = replay.run(.market(prewarms: true))
        let without = replay.run(.market(prewarms: false))
        #expect(result.hitsAhead > 20)
        #expect(result.hitPart > 1.5 * without.hitPart)
        #expect(result.meanLatency < without.meanLatency)
        #expect(without.hitsAhead == 0)
    }
}
