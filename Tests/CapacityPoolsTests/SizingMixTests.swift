import CapacityPools
import EngineCore
import Testing

/// How sub-pools share what all of them may keep ready.
@Suite struct SizingMixTests {
    static let python = SubPoolID.general(runtime: "python", sizeClass: 128)
    static let node = SubPoolID.general(runtime: "node", sizeClass: 512)
    static let ruby = SubPoolID.general(runtime: "ruby", sizeClass: 128)

    /// Calls at random for a while, by sub-pool and rate per second; then its targets.
    static func targets(
        _ rates: [(SubPoolID, Double)], total: Int?, floors: [SubPoolID: Int] = [:], seed: UInt64, changes: inout Int
    ) -> [SubPoolID: Int] {
        var sizer = WarmingSizer(configuration: WarmingSizerConfiguration(totalMax: total))
        for (subPool, _) in rates {
            sizer.configure(subPool, floor: floors[subPool] ?? 0, ceiling: 100)
            sizer.booted(subPool, in: .seconds(1))
        }
        var random = SplitMix(seed: seed)
        for step in 0..<6000 {
            let now = EngineInstant(nanoseconds: Int64(step) * 100_000_000)
            for (subPool, rate) in rates {
                for _ in 0..<random.poisson(rate / 10) { sizer.took(subPool, now: now) }
            }
            let changed = sizer.targets(at: WallMoment(epochMilliseconds: Int64(step) * 100, instant: now))
            if step > 3000 { changes += changed.count }
        }
        return rates.reduce(into: [:]) { $0[$1.0] = sizer.target(of: $1.0) }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `POOL-18 traffic of 80 to 20 makes a pool of about 80 to 20, and a trickle has one`(seed: UInt64) {
        var changes = 0
        let targets = Self.targets(
            [(Self.python, 16), (Self.node, 4), (Self.ruby, 0.02)], total: 21, seed: seed, changes: &changes)
        #expect((15...17).contains(targets[Self.python] ?? 0), "\(targets)")
        #expect((3...5).contains(targets[Self.node] ?? 0), "\(targets)")
        #expect(targets[Self.ruby] == 1)
        #expect(targets.values.reduce(0, +) == 21)
        #expect(changes <= 20, "\(changes) changes in five minutes")
    }

    @Test func `POOL-18 without a limit to the total each has what it wants`() {
        var changes = 0
        let targets = Self.targets([(Self.python, 8), (Self.node, 2)], total: nil, seed: 5, changes: &changes)
        #expect((targets[Self.python] ?? 0) > 18 && (targets[Self.node] ?? 0) > 7)
    }

    @Test func `POOL-18 floors are kept whatever the demand, and the rest is shared`() {
        var changes = 0
        let targets = Self.targets(
            [(Self.python, 20), (Self.node, 0)], total: 10, floors: [Self.node: 4], seed: 6, changes: &changes)
        #expect(targets == [Self.python: 6, Self.node: 4])
    }

    @Test func `POOL-18 where there is not one for each, the most wanted have it`() {
        var changes = 0
        let targets = Self.targets([(Self.python, 9), (Self.node, 3), (Self.ruby, 1)], total: 2, seed: 7, changes: &changes)
        #expect(targets == [Self.python: 1, Self.node: 1, Self.ruby: 0])
    }
}
