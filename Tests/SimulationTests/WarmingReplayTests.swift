import Placement
import Simulation
import Testing

/// What other numbers of ready instances would have done, asked of the node's own machine and sizing.
struct WarmingReplayTests {
    /// Calls of functions that are each called once, so that none finds a container of its own: 200 ms from nothing.
    private func strangers(_ arrivals: [Double]) -> Trace {
        Trace(
            arrivals: arrivals, functions: arrivals.indices.map { Int32($0) }, durations: arrivals.map { _ in 0.05 },
            costs: arrivals.map { _ in Trace.Costs(memory: 32, coldStart: 0.2, roundTrip: 0.5) })
    }

    private func replay(_ trace: Trace, floor: Int, ceiling: Int, from: Double = 0) -> ReplayResult {
        var replay = Replay(trace, capacity: 1024 * 1024, warmUp: from, hasRegions: false)
        if ceiling > 0 { replay.warmingPool = Replay.WarmingPool(floor: floor, ceiling: ceiling, boot: 0.3, spareStart: 0.005) }
        return replay.run(.leastRecentlyUsed)
    }

    /// From one call a second to fifty within a minute, back within another, and ten minutes of calm.
    private var ramp: Trace {
        var arrivals: [Double] = []
        var time = 0.0
        while time < 700 {
            let rate = max(1, time < 60 ? 1 + 49 * time / 60 : 50 - 49 * (time - 60) / 60)
            arrivals.append(time)
            time += 1 / rate
        }
        return strangers(arrivals)
    }

    @Test func `POOL-24 a replay says what another floor would do to latency and memory`() {
        let calls = strangers((0..<200).map { Double($0) * 2 })
        let none = replay(calls, floor: 0, ceiling: 0)
        let one = replay(calls, floor: 1, ceiling: 1)
        let four = replay(calls, floor: 4, ceiling: 4)
        #expect(none.sparePart == 0)
        #expect(abs(none.meanLatency - 0.2) < 1e-9)
        // One ready instance is there again two seconds later, so one suffices, and four only hold more.
        #expect(one.sparePart > 0.98)
        #expect(one.meanLatency < 0.01)
        #expect(four.meanLatency <= one.meanLatency)
        #expect(one.ready > 0.7 && one.ready <= 1)
        #expect(four.ready > 3 && four.ready <= 4)
        #expect(four.heldGigabytes > one.heldGigabytes)
    }

    @Test func `POOL-24 a replay says what more memory would do`() {
        let costs = Trace.Costs(memory: 100, coldStart: 0.2, roundTrip: 0.5)
        let calls = Trace(
            arrivals: (0..<300).map { Double($0) }, functions: (0..<300).map { Int32($0 % 3) }, durations: (0..<300).map { _ in 0.1 },
            costs: [costs, costs, costs])
        func cold(_ capacity: Double) -> Double { Replay(calls, capacity: capacity, hasRegions: false).run(.leastRecentlyUsed).coldPart }
        #expect(cold(200) == 1)
        #expect(cold(300) == 0.01)
    }

    @Test func `POOL-16 a pool that follows a ramp misses fewer calls than a fixed one of the same mean size`() {
        let sized = replay(ramp, floor: 1, ceiling: 100)
        let mean = Int(sized.ready.rounded(.up))
        let fixed = replay(ramp, floor: mean, ceiling: mean)
        #expect(mean < 30)
        #expect(sized.sparePart > 0.99)
        #expect(fixed.sparePart < 0.95)
        #expect(sized.meanLatency < fixed.meanLatency)
        // When it is calm again, it holds little.
        let calm = replay(ramp, floor: 1, ceiling: 100, from: 500)
        #expect(calm.ready < 6)
        #expect(calm.sparePart > 0.95)
    }

    @Test func `POOL-17 on the third day the pool is warm before the daily spike`() {
        // Thirty calls within a second at the same moment of each day. Days of an hour would do for nobody's clock: these are whole ones.
        let day = 86_400.0
        let calls = strangers((0..<3).flatMap { number in (0..<30).map { Double(number) * day + 32_400 + Double($0) / 30 } })
        let first = replay(strangers(Array(calls.arrivals.prefix(30))), floor: 1, ceiling: 50)
        let third = replay(calls, floor: 1, ceiling: 50, from: 2 * day)
        #expect(third.calls == 30)
        #expect(third.sparePart > 0.9)
        #expect(first.sparePart < 0.3)
    }
}
