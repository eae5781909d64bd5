import CapacityPools
import EngineCore
import Foundation
import Testing

/// What the sizer makes of demand, in virtual time. Numbers at random are of a seed that each test prints by its arguments.
@Suite struct SizingTests {
    static let subPool = SizingSimulation.subPool

    static func sizer(
        floor: Int = 1, ceiling: Int = 200, configuration: WarmingSizerConfiguration = WarmingSizerConfiguration(pacing: .zero),
        history: SizingHistory = SizingHistory()
    ) -> WarmingSizer {
        var sizer = WarmingSizer(configuration: configuration, history: history)
        sizer.configure(subPool, floor: floor, ceiling: ceiling)
        return sizer
    }

    static func moment(_ seconds: Int64) -> WallMoment {
        WallMoment(
            epochMilliseconds: 20_000 * 86_400_000 + seconds * 1000, instant: EngineInstant(nanoseconds: seconds * 1_000_000_000))
    }

    /// Five minutes of one call a second, two in which it becomes fifty, three at that, one back, five at one, then silence.
    static func ramp(_ second: Double) -> Double {
        switch second {
        case ..<300: 1
        case ..<420: 1 + 49 * (second - 300) / 120
        case ..<600: 50
        case ..<660: 50 - 49 * (second - 600) / 60
        case ..<960: 1
        default: 0
        }
    }

    @Test(arguments: zip([1, 2, 3] as [UInt64], [0.1, 0.25, 1]))
    func `POOL-16 a ramp is grown into before the pool is exhausted, better than by a fixed size, and left for the floor`(
        seed: UInt64, boot: Double
    ) {
        var sized = SizingSimulation(Self.sizer(), seed: seed)
        sized.boot = boot
        let outcome = sized.run(seconds: 1800, rate: Self.ramp)
        var fixed = SizingSimulation(fixed: Int(outcome.meanSize.rounded(.up)), seed: seed)
        fixed.boot = boot
        let other = fixed.run(seconds: 1800, rate: Self.ramp)
        #expect(other.meanSize >= outcome.meanSize)
        #expect(outcome.coldShare <= 0.01, "\(outcome.cold) of \(outcome.calls)")
        #expect(outcome.cold * 5 < other.cold, "sized \(outcome.cold), fixed \(other.cold)")
        // It grows with the ramp, not after it, and hardly a call of the ramp finds nothing.
        let beginning = outcome.targets[299]
        let middle = outcome.targets[360]
        let end = outcome.targets[420]
        #expect(beginning < middle && middle < end)
        #expect(outcome.coldAt[300..<420].reduce(0, +) <= 3060 / 50)
        #expect(outcome.targets[1799] == 1)
    }

    @Test(arguments: [4, 5, 6] as [UInt64])
    func `POOL-16 steady calls are served as the service level says, without flapping`(seed: UInt64) {
        var simulation = SizingSimulation(Self.sizer(), seed: seed)
        let outcome = simulation.run(seconds: 1200) { _ in 20 }
        let settled = outcome.targets[600...]
        #expect(outcome.coldAt[600...].reduce(0, +) <= 20 * 600 / 100)
        let changes = zip(settled, settled.dropFirst()).count { $0 != $1 }
        #expect(changes <= 30, "\(changes) changes in ten minutes: \(Array(settled))")
        #expect((settled.max() ?? 0) - (settled.min() ?? 0) <= 6)
        // Erlang's formula asks for 11 where five calls come within a boot; what is held for noise is less than as much again.
        #expect(settled.allSatisfy { (11...20).contains($0) })
    }

    @Test func `POOL-16 the target stays between floor and ceiling, also when these change`() {
        var sizer = Self.sizer(floor: 2, ceiling: 6)
        #expect(sizer.targets(at: Self.moment(0)).map(\.target) == [2])
        for second in 1...30 as ClosedRange<Int64> {
            for _ in 0..<100 { sizer.took(Self.subPool, now: Self.moment(second).instant) }
            _ = sizer.targets(at: Self.moment(second))
        }
        #expect(sizer.target(of: Self.subPool) == 6)
        sizer.configure(Self.subPool, floor: 2, ceiling: 4)
        #expect(sizer.targets(at: Self.moment(30)).map(\.target) == [4])
        sizer.configure(Self.subPool, floor: 8, ceiling: 9)
        _ = sizer.targets(at: Self.moment(31))
        #expect((sizer.target(of: Self.subPool) ?? 0) >= 8)
        _ = sizer.targets(at: Self.moment(3600))
        #expect(sizer.target(of: Self.subPool) == 8)
    }

    @Test func `POOL-16 calls that come ten at once are given ten`() {
        var sizer = Self.sizer()
        sizer.booted(Self.subPool, in: .milliseconds(250))
        for second in 1...600 as ClosedRange<Int64> {
            if second % 60 == 0 { for _ in 0..<10 { sizer.took(Self.subPool, now: Self.moment(second).instant) } }
            _ = sizer.targets(at: Self.moment(second))
        }
        #expect((10...16).contains(sizer.target(of: Self.subPool) ?? 0), "\(String(describing: sizer.target(of: Self.subPool)))")
    }

    @Test func `one spare is kept for a call in some minutes, and none above the floor for a call in an hour`() {
        var sizer = Self.sizer(floor: 0)
        var targets: [Int] = []
        for second in 1...7200 as ClosedRange<Int64> {
            if second < 3600 ? second % 300 == 0 : second == 3600 { sizer.took(Self.subPool, now: Self.moment(second).instant) }
            _ = sizer.targets(at: Self.moment(second))
            targets.append(sizer.target(of: Self.subPool) ?? -1)
        }
        #expect(targets[400..<3600].allSatisfy { $0 == 1 })
        #expect(targets[7000...].allSatisfy { $0 == 0 })
    }

    @Test func `a boot that takes longer asks for more, up to the limit of what is believed`() {
        var targets: [Int] = []
        for boot in [0.1, 1, 10, 10_000] {
            var sizer = Self.sizer(ceiling: 1000)
            sizer.booted(Self.subPool, in: .seconds(boot))
            for second in 1...120 as ClosedRange<Int64> {
                for _ in 0..<2 { sizer.took(Self.subPool, now: Self.moment(second).instant) }
                _ = sizer.targets(at: Self.moment(second))
            }
            targets.append(sizer.target(of: Self.subPool) ?? 0)
        }
        #expect(targets == targets.sorted() && Set(targets).count == 4, "\(targets)")
        #expect((targets.last ?? 0) < 500)
    }

    @Test func `more sub-pools than can be sized, and those that are removed, are left alone`() {
        var sizer = WarmingSizer(configuration: WarmingSizerConfiguration(subPoolsMax: 2))
        for number in 1...3 { sizer.configure(.general(runtime: "python", sizeClass: number), floor: 1, ceiling: 2) }
        #expect(sizer.targets(at: Self.moment(0)).count == 2)
        sizer.remove(.general(runtime: "python", sizeClass: 1))
        sizer.took(.general(runtime: "python", sizeClass: 1), now: Self.moment(1).instant)
        #expect(sizer.target(of: .general(runtime: "python", sizeClass: 1)) == nil)
        #expect(sizer.targets(at: Self.moment(2)).isEmpty)
    }
}
