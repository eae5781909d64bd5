import Testing

@testable import Placement

/// A market and the bookkeeping of a pool around it, in which a container is idle from its start on.
private struct Site {
    var market: CapacityMarket
    let capacity: Double
    var used = 0.0
    var now = 0.0

    init(capacity: Double, prewarms: Bool = true, seed: UInt64 = 1) {
        var configuration = CapacityMarket.Configuration(capacity: capacity)
        configuration.prewarms = prewarms
        market = CapacityMarket(configuration: configuration, seed: seed)
        self.capacity = capacity
    }

    var free: Double { capacity - used }

    mutating func add(memory: Double = 100, coldStart: Double = 0.2, roundTrip: Double = 0.03) -> Int {
        market.add(.init(memory: memory, coldStart: coldStart, roundTrip: roundTrip))
    }

    /// One call from arrival to end, at one moment; takes `duration` to the market's knowledge.
    mutating func call(_ entry: Int, at time: Double, duration: Double = 0.01, memory: Double = 100) -> CapacityMarket.Choice? {
        now = time
        market.arrived(entry, free: free, now: now)
        defer {
            market.measured(entry, duration: duration, elsewhere: false)
            market.began(entry)
            market.ended(entry, now: now + duration)
        }
        if idle[entry, default: 0] > 0, market.usesIdle(entry) { return nil }
        let decision = market.decideMiss(entry, missing: .init(memory: memory - free), now: now)
        for victim in decision.victims { end(victim) }
        if decision.choice == .startHere || decision.choice == .forwardAndStart { start(entry, memory: memory) }
        return decision.choice
    }

    var idle: [Int: Int] = [:]
    var memory: [Int: Double] = [:]

    mutating func start(_ entry: Int, memory size: Double) {
        market.containerStarts(entry)
        market.containerIsIdle(entry, wasBusy: false)
        idle[entry, default: 0] += 1
        memory[entry] = size
        used += size
    }

    mutating func end(_ entry: Int) {
        idle[entry, default: 0] -= 1
        used -= memory[entry, default: 0]
        market.idleContainerEnded(entry, now: now)
    }
}

struct CapacityMarketTests {
    @Test func `a call that loses its place and gets another counts once`() {
        func starts(withdrawals: Int) -> [Double] {
            var site = Site(capacity: 1000)
            let entry = site.add()
            for call in 0..<20 {
                site.market.arrived(entry, free: 1000, now: Double(call))
                site.market.began(entry)
                for _ in 0..<withdrawals {
                    site.market.withdrawn(entry)
                    site.market.began(entry)
                }
                site.market.ended(entry, now: Double(call) + 0.1)
            }
            return site.market.classes.map { Double($0.starts) }
        }
        #expect(starts(withdrawals: 3) == starts(withdrawals: 0))
        #expect(starts(withdrawals: 0).reduce(0, +) > 0)
    }

    @Test func `a start that is quicker than the region happens in the call's way, a slower one never does`() {
        var site = Site(capacity: 1000)
        let quick = site.add(coldStart: 0.005, roundTrip: 0.03)
        let slow = site.add(coldStart: 0.2, roundTrip: 0.03)
        #expect(site.call(quick, at: 1) == .startHere)
        for time in 2..<20 {
            let choice = site.call(slow, at: Double(time))
            #expect(choice != .startHere)
        }
        #expect(site.idle[slow] == 1)
    }

    @Test func `flipping one input alone flips a decision`() {
        /// What becomes of a miss after a function was called every ten seconds, with one input changed.
        func choice(
            memory: Double = 100, coldStart: Double = 0.005, roundTrip: Double = 0.03, duration: Double = 0.01, capacity: Double = 1000,
            fullOf other: Double = 0
        ) -> CapacityMarket.Choice? {
            var site = Site(capacity: capacity, prewarms: false)
            let entry = site.add(memory: memory, coldStart: coldStart, roundTrip: roundTrip)
            if other > 0 {
                let resident = site.add(memory: other, coldStart: 0.2, roundTrip: 0.15)
                for step in 0..<520 { _ = site.call(resident, at: Double(step) * 0.25, memory: other) }
            }
            site.now = 120
            site.market.measured(entry, duration: duration, elsewhere: false)
            return site.call(entry, at: 130, duration: duration, memory: memory)
        }
        #expect(choice() == .startHere)
        #expect(choice(coldStart: 0.2) != .startHere)
        #expect(choice(roundTrip: 0.001) != .startHere)
        #expect(choice(memory: 1500) == .forward)
        #expect(choice(capacity: 90) == .forward)
        #expect(choice(duration: 3_600_000) == .forward)
        #expect(choice(fullOf: 950) == .forward)
    }

    @Test func `the containers of rare functions make room for those of frequent ones, not the other way round`() {
        var site = Site(capacity: 1000, prewarms: false)
        let functions = (0..<40).map { _ in site.add() }
        // The first eight are called every two seconds, the others one after the other every ten minutes.
        for step in 0..<3_000 {
            let time = Double(step) * 0.25
            _ = site.call(functions[step % 8], at: time)
            if step % 75 == 0 { _ = site.call(functions[8 + (step / 75) % 32], at: time + 0.1) }
        }
        let resident = (0..<8).filter { site.idle[functions[$0], default: 0] > 0 }
        #expect(resident.count == 8)
        #expect(site.used <= site.capacity)
        // The crowd moves on to eight others.
        for step in 0..<3_000 { _ = site.call(functions[8 + step % 8], at: 750 + Double(step) * 0.25) }
        #expect((8..<16).filter { site.idle[functions[$0], default: 0] > 0 }.count == 8)
    }

    @Test func `what is looked at and refused has changed nothing`() {
        var site = Site(capacity: 300, prewarms: false)
        let resident = (0..<3).map { _ in site.add(coldStart: 0.005) }
        for step in 0..<600 { _ = site.call(resident[step % 3], at: Double(step) * 0.1) }
        let stranger = site.add(coldStart: 0.2)
        let used = site.used
        #expect(site.call(stranger, at: 61) == .forward)
        #expect(site.used == used)
    }

    @Test func `a function of regular habits is started shortly before its next call`() throws {
        var site = Site(capacity: 1000)
        let regular = site.add(coldStart: 0.2, roundTrip: 0.15)
        for minute in 0..<30 { _ = site.call(regular, at: Double(minute) * 60) }
        if site.idle[regular, default: 0] > 0 { site.end(regular) }
        let due = try #require(site.market.nextPrewarming)
        let next = 30.0 * 60
        #expect(due < next)
        #expect(due > next - 30)
        let planned = site.market.takeDuePrewarming(free: 1000, now: due)?.entry
        #expect(planned == regular)
        let more = site.market.takeDuePrewarming(free: 1000, now: due)?.entry
        #expect(more == nil)
    }

    @Test func `a call that comes early voids the pre-warming`() {
        var site = Site(capacity: 1000)
        let regular = site.add(coldStart: 0.2, roundTrip: 0.15)
        for minute in 0..<30 { _ = site.call(regular, at: Double(minute) * 60) }
        if site.idle[regular, default: 0] > 0 { site.end(regular) }
        let due = site.market.nextPrewarming
        #expect(due != nil)
        site.market.arrived(regular, free: 100, now: 29 * 60 + 5)
        let left = site.market.nextPrewarming
        #expect(left == nil)
    }

    @Test func `memory gets dearer while worthy containers fill the pool and cheaper while it stands empty`() {
        var empty = Site(capacity: 10_000)
        let lonely = empty.add(coldStart: 0.005)
        let atFirst = empty.market.pricePerMebibyteSecond
        for time in 0..<200 { _ = empty.call(lonely, at: Double(time)) }
        #expect(empty.market.pricePerMebibyteSecond < atFirst)
        var full = Site(capacity: 200)
        let busy = (0..<8).map { _ in full.add(coldStart: 0.02) }
        for step in 0..<2_000 { _ = full.call(busy[step % 8], at: Double(step) * 0.1) }
        #expect(full.market.pricePerMebibyteSecond > atFirst)
    }

    @Test func `without regions every call that fits starts here`() {
        var configuration = CapacityMarket.Configuration(capacity: 100)
        configuration.hasRegions = false
        var market = CapacityMarket(configuration: configuration, seed: 1)
        let entry = market.add(.init(memory: 60, coldStart: 10, roundTrip: 0))
        market.arrived(entry, free: 100, now: 0)
        #expect(market.decideMiss(entry, missing: .init(memory: -40), now: 0).choice == .startHere)
        #expect(market.decideMiss(entry, missing: .init(memory: 10), now: 0).choice == .refuse)
    }

    @Test func `more histories than the limit are judged by their class`() {
        var configuration = CapacityMarket.Configuration(capacity: 1000)
        configuration.histogramsMax = 4
        var market = CapacityMarket(configuration: configuration, seed: 1)
        let entries = (0..<20).map { _ in market.add(.init(memory: 10, coldStart: 0.2, roundTrip: 0.03)) }
        for round in 0..<10 {
            for (number, entry) in entries.enumerated() {
                let now = Double(round) * 100 + Double(number)
                market.arrived(entry, free: 1000, now: now)
                #expect(market.decideMiss(entry, missing: .init(memory: -990), now: now).choice != .refuse)
                market.began(entry)
                market.ended(entry, now: now + 0.01)
            }
        }
        entries.forEach { market.forget($0) }
        #expect(market.add(.init(memory: 10, coldStart: 0.2, roundTrip: 0.03)) < 20)
    }

    @Test func `equal seeds and calls give equal answers`() {
        func run() -> [CapacityMarket.Choice?] {
            var site = Site(capacity: 400, seed: 7)
            let functions = (0..<60).map { _ in site.add() }
            return (0..<4_000).map { site.call(functions[($0 * 37) % 60], at: Double($0) * 0.2) }
        }
        #expect(run() == run())
    }
}
