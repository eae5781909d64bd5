import EngineCore
import Testing

@testable import CapacityPools

/// The sizer's formulas against tables and by hand.
@Suite struct SizingFormulaTests {
    /// From tables of Erlang's loss formula.
    @Test(arguments: [(0.01, 0.01, 1), (1.0, 0.01, 5), (5.0, 0.01, 11), (10.0, 0.01, 18), (10.0, 0.001, 21), (50.0, 0.01, 64)])
    func `the stock is the least whose loss is small enough`(load: Double, loss: Double, level: Int) {
        #expect(BaseStock.level(load: load, peakedness: 1, loss: loss, limit: 1000) == level)
        #expect(BaseStock.level(load: load, peakedness: 1, loss: loss, limit: 3) == min(level, 3))
    }

    @Test func `calls in batches need more, up to what is believed of an accident`() {
        let levels = [1.0, 2, 4, 16, 1000].map { BaseStock.level(load: 10, peakedness: $0, loss: 0.01, limit: 1000) }
        #expect(levels == levels.sorted() && levels[1] > levels[0])
        #expect(levels[3] == levels[4])
        #expect(BaseStock.level(load: 0.1, peakedness: 10, loss: 0.01, limit: 1000) == 10)
    }

    @Test func `without room there is no stock, and without calls one`() {
        #expect(BaseStock.level(load: 5, peakedness: 1, loss: 0.01, limit: 0) == 0)
        #expect(BaseStock.level(load: 0, peakedness: 1, loss: 0.01, limit: 5) == 1)
    }

    @Test func `POOL-18 shares are those of the largest remainders, within floors and wants`() {
        func claim(_ weight: Double, floor: Int = 0, want: Int = 100) -> DemandShares.Claim {
            DemandShares.Claim(floor: floor, want: want, weight: weight)
        }
        #expect(DemandShares.split([claim(80), claim(20)], total: 10) == [8, 2])
        #expect(DemandShares.split([claim(47), claim(16), claim(37)], total: 10) == [5, 1, 4])
        #expect(DemandShares.split([claim(1000), claim(1)], total: 10) == [9, 1])
        #expect(DemandShares.split([claim(50), claim(50, want: 2)], total: 10) == [8, 2])
        #expect(DemandShares.split([claim(50), claim(1, floor: 6)], total: 10) == [4, 6])
        #expect(DemandShares.split([claim(1, floor: 8), claim(1, floor: 8)], total: 10) == [8, 8])
        #expect(DemandShares.split([claim(1, want: 3), claim(1, want: 4)], total: 10) == [3, 4])
        #expect(DemandShares.split([claim(0), claim(0)], total: 10).reduce(0, +) <= 10)
        #expect(DemandShares.split([], total: 10).isEmpty)
    }

    @Test func `shares that are near enough stay`() {
        let claims = [1.0, 1.04].map { DemandShares.Claim(floor: 0, want: 100, weight: $0) }
        #expect(DemandShares.split(claims, total: 9, previous: [5, 4]) == [5, 4])
        #expect(DemandShares.split(claims, total: 9, previous: [7, 2]) == [4, 5])
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func `POOL-18 shares never exceed the total but by floors, nor leave any over that is wanted`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let claims = (0..<Int.random(in: 1...12, using: &random)).map { _ in
            let floor = Int.random(in: 0...3, using: &random)
            return DemandShares.Claim(
                floor: floor, want: floor + Int.random(in: 0...20, using: &random),
                weight: Double.random(in: 0...30, using: &random))
        }
        let total = Int.random(in: 0...60, using: &random)
        let shares = DemandShares.split(claims, total: total)
        let floors = claims.reduce(0) { $0 + $1.floor }
        let wants = claims.reduce(0) { $0 + $1.want }
        #expect(shares.reduce(0, +) == max(floors, min(wants, total)))
        #expect(zip(shares, claims).allSatisfy { $0 >= $1.floor && $0 <= $1.want })
        // One for each in demand, where there is one for each.
        if claims.reduce(0, { $0 + $1.least }) <= total { #expect(zip(shares, claims).allSatisfy { $0 >= $1.least }) }
    }
}
