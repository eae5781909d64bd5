import EngineCore
import Testing

@testable import CapacityPools

/// When work that may wait begins. Time is in minutes here.
@Suite struct VariablePlanTests {
    static func at(_ minutes: Int) -> EngineInstant { EngineInstant(nanoseconds: Int64(minutes) * 60_000_000_000) }

    static func plan(_ periods: [(Int, Int, Double)]) -> PricePlan {
        PricePlan(forecast: periods.map { PricePeriod(from: at($0.0), to: at($0.1), price: $0.2) })
    }

    static let night = plan([(0, 600, 9), (600, 720, 2), (720, 1440, 9)])

    @Test func `POOL-13 work that may wait begins inside the cheap window`() {
        let start = Self.night.cheapestStart(now: Self.at(10), guard: Self.at(700), duration: .seconds(600), current: 9)
        #expect(start == PlannedStart(at: Self.at(600), cause: .window, price: 2))
        // It is there: begin.
        let there = Self.night.cheapestStart(now: Self.at(600), guard: Self.at(700), duration: .seconds(600), current: 2)
        #expect(there == PlannedStart(at: Self.at(600), cause: .now, price: 2))
    }

    @Test func `POOL-13 the guard holds when the forecast is wrong`() {
        // The window came, the price did not: nothing cheaper is known before the guard, so it begins, and never after the guard.
        let wrong = Self.night.cheapestStart(now: Self.at(601), guard: Self.at(700), duration: .seconds(600), current: 9)
        #expect(wrong.at <= Self.at(700))
        for current in [nil, 9.0, 1e6] {
            let late = Self.night.cheapestStart(now: Self.at(700), guard: Self.at(700), duration: .seconds(600), current: current)
            #expect(late.at == Self.at(700) && late.cause == .guard)
            let later = Self.night.cheapestStart(now: Self.at(710), guard: Self.at(700), duration: .seconds(600), current: current)
            #expect(later.at == Self.at(710) && later.cause == .guard)
        }
    }

    @Test func `POOL-13 a window beyond the guard is not waited for`() {
        let start = Self.night.cheapestStart(now: Self.at(10), guard: Self.at(500), duration: .seconds(600), current: 9)
        #expect(start == PlannedStart(at: Self.at(10), cause: .now, price: 9))
    }

    @Test func `a run that does not fit into the window begins so that most of it does`() {
        // Three hours into two cheap ones: any start from 540 to 600 pays one dear hour; the earliest of them is taken.
        let start = Self.night.cheapestStart(now: Self.at(10), guard: Self.at(700), duration: .seconds(180 * 60), current: 9)
        #expect(start.at == Self.at(540) && start.cause == .window)
        #expect(abs((start.price ?? 0) - (2 * 2 + 9) / 3) < 1e-9)
    }

    @Test func `where nothing is offered, the next offer that is forecast is waited for, or the guard`() {
        let plan = Self.plan([(600, 720, 5)])
        #expect(
            plan.cheapestStart(now: Self.at(0), guard: Self.at(900), duration: .seconds(60), current: nil)
                == PlannedStart(at: Self.at(600), cause: .window, price: 5))
        #expect(
            plan.cheapestStart(now: Self.at(0), guard: Self.at(300), duration: .seconds(60), current: nil)
                == PlannedStart(at: Self.at(300), cause: .guard, price: nil))
        #expect(
            PricePlan(forecast: []).cheapestStart(now: Self.at(0), guard: Self.at(9), duration: .zero, current: 1).cause == .now)
    }

    @Test func `an offer below the forecast is taken at once`() {
        let start = Self.night.cheapestStart(now: Self.at(10), guard: Self.at(700), duration: .seconds(600), current: 1)
        #expect(start == PlannedStart(at: Self.at(10), cause: .now, price: 1))
    }

    @Test func `a forecast that contradicts itself is used as far as it makes sense`() {
        let plan = Self.plan([(100, 200, 3), (150, 300, 1), (50, 50, 0), (400, 300, 0), (200, 250, 2)])
        #expect(plan.forecast == Self.plan([(100, 200, 3), (200, 250, 2)]).forecast)
        #expect(
            PricePlan(forecast: (0..<200).map { PricePeriod(from: Self.at($0), to: Self.at($0 + 1), price: 1) }).forecast.count
                == 96)
    }

    /// Against trying every minute. The seed is the argument.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `POOL-13 no start of the time there is would have been cheaper by the forecast`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var minute = 0
        var periods: [(Int, Int, Double)] = []
        for _ in 0..<12 {
            let end = minute + Int.random(in: 5...60, using: &random)
            periods.append((minute, end, Double(Int.random(in: 1...9, using: &random))))
            minute = end
        }
        let latest = Int.random(in: 1..<minute, using: &random)
        let length = Int.random(in: 1...90, using: &random)
        let dearest = periods.map(\.2).max() ?? 0
        func cost(_ start: Int) -> Double {
            (start..<start + length).reduce(0) { sum, minute in
                sum + (periods.first { $0.0 <= minute && minute < $0.1 }?.2 ?? dearest)
            }
        }
        let start = Self.plan(periods).cheapestStart(
            now: Self.at(0), guard: Self.at(latest), duration: .seconds(60 * length), current: periods[0].2)
        let chosen = Int(start.at.nanoseconds / 60_000_000_000)
        #expect((0...latest).contains(chosen))
        let least = (0...latest).map(cost).min() ?? 0
        #expect(cost(chosen) == least)
        #expect(abs((start.price ?? 0) - least / Double(length)) < 1e-6)
        // Of equally cheap ones the earliest.
        #expect((0..<chosen).allSatisfy { cost($0) > least })
    }
}
