import CapacityPools
import EngineCore
import Foundation
import Testing

/// What the sizer knows of the times of day.
@Suite struct SizingHistoryTests {
    static let subPool = SizingSimulation.subPool
    static let day: Int64 = 86_400
    /// A daily surge: at nine, for two minutes, from one call in a minute to thirty in a second.
    static let nine: Int64 = 9 * 3600

    static func rate(_ second: Double) -> Double {
        let surge = Double(nine)..<Double(nine + 120)
        return surge.contains(second.truncatingRemainder(dividingBy: Double(day))) ? 30 : 1 / 60
    }

    /// The half hour about nine of a day; the rest of it is as quiet as can be.
    static func replay(_ simulation: inout SizingSimulation, day number: Int64, rate: (Double) -> Double)
        -> SizingSimulation.Outcome
    {
        simulation.run(seconds: 1800, from: Int(number * day + nine - 900), rate: rate)
    }

    @Test(arguments: [7, 8, 9] as [UInt64])
    func `POOL-17 a surge that came on two days is warmed for before it comes on the third`(seed: UInt64) throws {
        var simulation = SizingSimulation(SizingTests.sizer(ceiling: 100), seed: seed)
        simulation.boot = 1
        let days = (0..<3).map { Self.replay(&simulation, day: Int64($0), rate: Self.rate) }
        // The second before nine, and the first ten seconds of the surge.
        let before = days.map { $0.targets[899] }
        let cold = days.map { $0.coldAt[900..<910].reduce(0, +) }
        #expect(before[0] <= 5 && before[1] <= 5)
        #expect(before[2] >= 30, "\(before)")
        #expect(cold[0] > 30 && cold[1] > 30)
        #expect(cold[2] <= cold[0] / 10, "\(cold)")
        // It is warmed minutes before, not all night, and let go after.
        #expect(days[2].targets[300] <= 5)
        #expect(days[2].targets[1799] <= 8)
    }

    @Test func `POOL-17 what was learnt outlives a restart`() throws {
        var simulation = SizingSimulation(SizingTests.sizer(ceiling: 100), seed: 10)
        simulation.boot = 1
        for number in 0..<2 { _ = Self.replay(&simulation, day: Int64(number), rate: Self.rate) }
        let saved = try JSONEncoder().encode(try #require(simulation.sizer).history)
        #expect(saved.count < 2000, "\(saved.count) bytes")
        let history = try JSONDecoder().decode(SizingHistory.self, from: saved)
        var next = SizingSimulation(SizingTests.sizer(ceiling: 100, history: history), seed: 11)
        next.boot = 1
        #expect(Self.replay(&next, day: 2, rate: Self.rate).targets[899] >= 30)
    }

    @Test func `a surge that came once is not waited for, and one that comes no more is forgotten in a week`() {
        var once = SizingSimulation(SizingTests.sizer(ceiling: 100), seed: 12)
        _ = Self.replay(&once, day: 0, rate: Self.rate)
        for number in 1..<3 as Range<Int64> {
            #expect(Self.replay(&once, day: number) { _ in 0 }.targets[899] <= 1)
        }
        var twice = SizingSimulation(SizingTests.sizer(ceiling: 100), seed: 13)
        for number in 0..<2 as Range<Int64> { _ = Self.replay(&twice, day: number, rate: Self.rate) }
        let later = (2...9).map { number in Self.replay(&twice, day: Int64(number)) { _ in 0 }.targets[899] }
        #expect(later.first ?? 0 > 20)
        #expect(later.suffix(2) == [1, 1], "\(later)")
    }

    @Test func `a surge about midnight belongs to both days`() {
        var simulation = SizingSimulation(SizingTests.sizer(ceiling: 100), seed: 14)
        simulation.boot = 1
        for number in 1..<3 as Range<Int64> {
            _ = simulation.run(seconds: 600, from: Int(number * Self.day) - 300) { second in
                abs(second - Double(number * Self.day)) < 30 ? 20 : 0
            }
        }
        let third = simulation.run(seconds: 600, from: Int(3 * Self.day) - 300) { _ in 0 }
        #expect(third.targets[290] > 15 && third.targets[310] > 15)
    }

    @Test func `a wall clock that is put back does not make the history useless`() {
        var sizer = SizingTests.sizer(ceiling: 100)
        func surge(day: Int64, at instant: Int64) {
            let moment = WallMoment(
                epochMilliseconds: (day * Self.day + Self.nine) * 1000, instant: EngineInstant(nanoseconds: instant * 1_000_000_000)
            )
            _ = sizer.targets(at: moment)
            for _ in 0..<25 { sizer.took(Self.subPool, now: moment.instant) }
        }
        surge(day: 50_000, at: 0)
        surge(day: 20_000, at: 100_000)
        surge(day: 20_001, at: 200_000)
        let third = WallMoment(
            epochMilliseconds: (20_002 * Self.day + Self.nine) * 1000, instant: EngineInstant(nanoseconds: 300_000_000_000_000))
        _ = sizer.targets(at: third)
        #expect(sizer.target(of: Self.subPool) == 25)
    }

    @Test(arguments: [
        #"[]"#, #"{"general/python": {}}"#, #"{"general/python/128": {"x": []}}"#, #"{"general/python/128": {"20000": [1]}}"#,
        #"{"general/python/128": {"20000": [288, 1]}}"#, #"{"general/python/128": {"20000": [1, 70000]}}"#,
        #"{"general/python/128": {"20000": [-1, 1]}}"#, #"{"general/python/128": {"99999999999": [1, 1]}}"#,
    ])
    func `a history that is damaged is refused`(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(SizingHistory.self, from: Data(text.utf8)) }
    }

    @Test func `a history is bounded`() throws {
        var sizer = SizingTests.sizer()
        for minute in stride(from: 0, to: 20 * 1440, by: 5) as StrideTo<Int64> {
            _ = sizer.targets(at: SizingTests.moment(minute * 60))
            sizer.took(Self.subPool, now: SizingTests.moment(minute * 60).instant)
        }
        #expect(try JSONEncoder().encode(sizer.history).count < 9 * 3000)
        let days = (1...10).map { "\"\(20_000 + $0)\": []" }.joined(separator: ",")
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(SizingHistory.self, from: Data("{\"general/python/128\": {\(days)}}".utf8))
        }
    }
}
