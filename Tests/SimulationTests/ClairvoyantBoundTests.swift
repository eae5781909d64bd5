import Placement
import Simulation
import Testing

struct ClairvoyantBoundTests {
    /// Functions of 100 MB that start in 200 ms, 30 ms from their region, called in turns every ten seconds for 50 ms.
    private func turns(functions: Int, calls: Int) -> Trace {
        let costs = Trace.Costs(memory: 100, coldStart: 0.2, roundTrip: 0.03)
        return Trace(
            arrivals: (0..<calls).map { Double($0) * 10 }, functions: (0..<calls).map { Int32($0 % functions) },
            durations: .init(repeating: 0.05, count: calls), costs: .init(repeating: costs, count: functions))
    }

    @Test func `without memory every call is a way to the region`() {
        let bound = ClairvoyantBound(turns(functions: 3, calls: 300), warmUp: 0, hasRegions: true)
        #expect(abs(bound.mean(capacity: 0) - 0.03) < 1e-9)
    }

    @Test func `with memory for all, the first call of each is a way to the region and no other`() {
        let bound = ClairvoyantBound(turns(functions: 3, calls: 300), warmUp: 0, hasRegions: true)
        #expect(abs(bound.mean(capacity: 1e6) - 0.03 * 3 / 300) < 0.0003)
        let alone = ClairvoyantBound(turns(functions: 3, calls: 300), warmUp: 0, hasRegions: false)
        #expect(abs(alone.mean(capacity: 1e6) - 0.2 * 3 / 300) < 0.0003)
    }

    @Test func `with memory for one of two, half of the calls are warm at best`() {
        let bound = ClairvoyantBound(turns(functions: 2, calls: 400), warmUp: 0, hasRegions: true).mean(capacity: 100)
        #expect(abs(bound - 0.015) < 0.0005)
    }

    @Test(arguments: [50, 100, 250, 400] as [Double]) func `no policy that starts nothing ahead is below the bound`(_ capacity: Double) {
        var trace = turns(functions: 5, calls: 2000)
        trace.arrivals = trace.arrivals.indices.map { Double($0) * 7 + Double($0 * 7919 % 13) * 0.4 }
        trace.functions = trace.arrivals.indices.map { Int32($0 * $0 % 7 % 5) }
        let bound = ClairvoyantBound(trace, warmUp: 1000, hasRegions: true).mean(capacity: capacity)
        let replay = Replay(trace, capacity: capacity, warmUp: 1000)
        for policy in [Replay.Policy.market(prewarms: false), .greedyDual, .leastRecentlyUsed, .forwardAll] {
            #expect(replay.run(policy).meanLatency >= bound - 1e-9, "\(policy.name)")
        }
        #expect(bound <= 0.03)
    }
}
