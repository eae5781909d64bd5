import Testing

@testable import Placement

/// Where decisions flip that rest on a function's history, at a price that is held. A start takes 200 ms, the way 30 ms, and a container
/// of 100 MiB at 10⁻⁵ s to the mebibyte-second costs L = 1 ms to the second. κ · 200 ms = 10 ms is what a start is worth.
struct MarketEdgeTests {
    private static let price = 1e-5

    /// What becomes of a miss after those gaps, in seconds between the end of a call and the next.
    private func choice(gaps: [Double], memory: Double = 100) -> CapacityMarket.Choice {
        var configuration = CapacityMarket.Configuration(capacity: 1000)
        configuration.prewarms = false
        var market = CapacityMarket(configuration: configuration, seed: 1)
        let entry = market.add(.init(memory: memory, coldStart: 0.2, roundTrip: 0.03))
        var now = 0.0
        for gap in gaps {
            market.arrived(entry, free: 1000, now: now)
            market.began(entry)
            market.ended(entry, now: now)
            now += gap
        }
        market.arrived(entry, free: 1000, now: now)
        market.price = MemoryPrice(value: Self.price)
        return market.decideMiss(entry, missing: .init(memory: -900), now: now).choice
    }

    /// v − L (g + c) > 0, that is g < 29.8 s. Bins are 12 % wide, of which the worse end counts, and the class is worth 2 of 52
    /// observations: known to a sixth.
    @Test func `PLACE-07 the frequency decides where keeping until the next call costs what the call would`() {
        #expect(choice(gaps: .init(repeating: 24.8, count: 50)) == .forwardAndStart)
        #expect(choice(gaps: .init(repeating: 34.8, count: 50)) == .forward)
    }

    /// The same for a container of half and twice the size: g < 59.8 s, and g < 14.8 s.
    @Test func `PLACE-07 the memory decides in proportion`() {
        #expect(choice(gaps: .init(repeating: 49.8, count: 50), memory: 50) == .forwardAndStart)
        #expect(choice(gaps: .init(repeating: 69.8, count: 50), memory: 50) == .forward)
        #expect(choice(gaps: .init(repeating: 12.3, count: 50), memory: 200) == .forwardAndStart)
        #expect(choice(gaps: .init(repeating: 17.3, count: 50), memory: 200) == .forward)
    }

    /// After 20 gaps of 5 s, k of 100 s, which is too long to be kept for. Kept for 5 s, a container is hit with P = 20 / (20 + k):
    /// 40 ms · P − 5 s · L − 10 ms − 0.2 s · L > 0, that is P > 0.38 and k < 33; the class moves that by a few.
    @Test func `PLACE-07 the trend decides where the chance of a call while it is kept no longer pays the start`() {
        func gaps(long: Int) -> [Double] { (0..<20 + long).map { $0 < 20 ? 5 : 100 } }
        #expect(choice(gaps: gaps(long: 25)) == .forwardAndStart)
        #expect(choice(gaps: gaps(long: 42)) == .forward)
    }

    /// A second container is for calls at once. It was needed when the slot above the first opened, and never again: it ages from then on,
    /// and is worth less than the price while the first, called every second, is worth more.
    @Test func `a container that was never used at its depth ages like any other`() {
        var market = CapacityMarket(configuration: .init(capacity: 1000), seed: 1)
        let entry = market.add(.init(memory: 100, coldStart: 0.2, roundTrip: 0.03))
        for call in 0..<400 {
            market.arrived(entry, free: 800, now: Double(call))
            market.began(entry)
            market.ended(entry, now: Double(call) + 0.1)
        }
        for _ in 0..<2 {
            market.containerStarts(entry)
            market.containerIsIdle(entry, wasBusy: false)
        }
        market.price = MemoryPrice(value: Self.price)
        let (first, second) = (market.index(entry, 0, now: 400), market.index(entry, 1, now: 400))
        #expect(first > Self.price)
        #expect(second < Self.price)
    }
}
