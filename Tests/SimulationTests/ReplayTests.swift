import Placement
import Simulation
import Testing

/// Hand-checked examples: one node, two functions of 100 MB that start in 200 ms and have a region 30 ms away.
struct ReplayTests {
    private func trace(_ arrivals: [Double], _ functions: [Int32], run: Float = 1, cold: Double = 0.2) -> Trace {
        let costs = Trace.Costs(memory: 100, coldStart: cold, roundTrip: 0.03)
        return Trace(
            arrivals: arrivals, functions: functions, durations: functions.map { _ in run }, costs: [costs, costs])
    }

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

    @Test func `every call is counted once and memory is never exceeded`() {
        var arrivals: [Double] = []
        var functions: [Int32] = []
        for call in 0..<5_000 {
            arrivals.append(Double(call) * 0.37)
            functions.append(Int32(call % 7 == 0 ? 1 : 0))
        }
        for policy in [
            Replay.Policy.market(prewarms: true), .market(prewarms: false), .fixedKeepAlive(seconds: 600), .leastRecentlyUsed,
            .greedyDual, .hybridHistogram, .forwardAll,
        ] {
            let result = Replay(trace(arrivals, functions, run: 0.9), capacity: 250).run(policy)
            #expect(result.calls == 5_000)
            #expect(abs(result.hitPart + result.coldPart + result.forwardedPart + result.droppedPart - 1) < 1e-9)
            #expect((result.idleGigabytes + result.busyGigabytes) * 1024 <= 250 * 1.01)
        }
    }

    @Test func `one seed gives one result`() {
        let replay = Replay(trace((0..<2_000).map { Double($0) * 0.7 }, (0..<2_000).map { Int32($0 % 2) }), capacity: 150)
        #expect(replay.run(.market(prewarms: true)) == replay.run(.market(prewarms: true)))
    }
}
