import EngineCore
import Placement
import Testing

@Suite struct RegionChooserTests {
    private let chooser = RegionChooser(stalenessMax: 5, keepAlive: 600)
    private let call = RegionChooser.Call(coldStart: 0.2, duration: 0.01, hash: 0x1234_5678_9abc_def0)

    private func choose(
        _ candidates: [RegionCandidate], call: RegionChooser.Call? = nil, tried: Set<String> = [], seed: UInt64 = 1
    ) -> RegionChooser.Choice {
        var random = CountingGenerator(state: seed)
        return chooser.choose(call ?? self.call, among: candidates, tried: tried, using: &random)
    }

    private let near = RegionCandidate(name: "near", roundTrip: 0.010, reportAge: 1)
    private let far = RegionCandidate(name: "far", roundTrip: 0.080, reportAge: 1)

    private func warm(_ candidate: RegionCandidate, lastReceived: Double = 10, idle: Int = 1) -> RegionCandidate {
        var candidate = candidate
        candidate.history = .init(lastReceived: lastReceived, idleContainers: idle)
        return candidate
    }

    @Test func `PLACE-11 a far region that is warm wins when the cold start exceeds the extra way`() {
        let choice = choose([near, warm(far)])
        #expect(choice.region == "far")
        #expect(choice.basis == .warmth)
    }

    @Test func `PLACE-11 a near cold region wins when its start is shorter than the extra way`() {
        let quick = RegionChooser.Call(coldStart: 0.05, duration: 0.01, hash: 1)
        #expect(choose([near, warm(far)], call: quick).region == "near")
    }

    @Test func `PLACE-11 without history anywhere distance and load decide`() {
        let choice = choose([far, near])
        #expect(choice.region == "near")
        #expect(choice.basis == .distance)
        var loaded = near
        loaded.load = 0.94
        let long = RegionChooser.Call(coldStart: 0.2, duration: 0.1, hash: 1)
        #expect(choose([far, loaded], call: long).region == "far")
    }

    @Test func `PLACE-11 the longer ago a region received the function the less its warmth weighs`() {
        #expect(choose([near, warm(far, lastReceived: 30, idle: 0)]).region == "far")
        #expect(choose([near, warm(far, lastReceived: 590, idle: 0)]).region == "near")
        #expect(choose([near, warm(far, lastReceived: 5000, idle: 0)]).region == "near")
    }

    @Test func `PLACE-12 reports that are too old are not believed and the choice says so`() {
        var near = near, far = warm(far)
        far.reportAge = 6
        near.reportAge = nil
        let choice = choose([near, far])
        #expect(choice.region == "near")
        #expect(choice.basis == .stale)
        #expect(choice.scores.allSatisfy { $0.start == 0 })
        far.reportAge = 4
        #expect(choose([near, far]).basis == .warmth)
    }

    @Test(arguments: [RegionChooser.Exclusion.unreachable, .saturated, .versionNotHeld, .tried])
    func `PLACE-10 and PLACE-14 a warm region that cannot take the call is passed over`(exclusion: RegionChooser.Exclusion) {
        var best = warm(near)
        var tried: Set<String> = []
        switch exclusion {
        case .unreachable: best.isHealthy = false
        case .saturated: best.isSaturated = true
        case .versionNotHeld: best.holdsVersion = false
        case .tried: tried = ["near"]
        }
        let choice = choose([best, far], tried: tried)
        #expect(choice.region == "far")
        #expect(choice.scores.first?.exclusion == exclusion)
        #expect(choose([best], tried: tried).region == nil)
    }

    @Test func `PLACE-14 a slow answer moves the next call elsewhere at once and good ones bring it back slowly`() {
        var average = PeakAverage(timeConstant: 10)
        for second in 0..<20 { average.add(0.010, now: Double(second)) }
        #expect(average.value == 0.010)
        average.add(1, now: 20)
        #expect(average.value == 1)
        average.add(0.010, now: 21)
        #expect((average.value ?? 0) > 0.8)
        for second in 22..<120 { average.add(0.010, now: Double(second)) }
        #expect((average.value ?? 1) < 0.011)
    }

    /// Six POPs, each nearest to a region of its own, all about as far from the others': their first calls of one function go to one.
    @Test func `PLACE-13 nodes that see the same tie choose the same region without a word between them`() {
        let names = (1...6).map { "region-\($0)" }
        for hash in 0..<200 as Range<UInt64> {
            let call = RegionChooser.Call(coldStart: 0.2, duration: 0.01, hash: hash &* 0x9e37_79b9_7f4a_7c15)
            let chosen = (0..<6).map { pop in
                let order = (0..<6).map { names[($0 + pop) % 6] }
                let candidates = order.enumerated().map { RegionCandidate(name: $1, roundTrip: 0.040 + 0.0005 * Double($0), reportAge: 1) }
                return choose(candidates, call: call, seed: UInt64(pop)).region
            }
            #expect(Set(chosen).count == 1)
        }
    }

    @Test func `ties between warm regions go to the one with fewer calls of this node under way`() {
        var busy = warm(near), idle = warm(near)
        idle.name = "other"
        busy.underWay = 3
        for seed in 0..<20 as Range<UInt64> { #expect(choose([busy, idle], seed: seed).region == "other") }
    }
}

/// A generator whose numbers are a hash of a count: any will do where only ties are drawn.
private struct CountingGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        let mixed = (state ^ (state >> 31)) &* 0xbf58_476d_1ce4_e5b9
        return mixed ^ (mixed >> 29)
    }
}
