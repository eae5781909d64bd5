import EngineCore
import Testing

@testable import Placement

struct ArrivalRhythmTests {
    private func rhythm(_ starts: [Double]) -> ArrivalRhythm {
        starts.reduce(into: ArrivalRhythm()) { $0.recordStart(at: $1) }
    }

    @Test func `six calls by the clock are believed, five are not`() throws {
        // The first interval is the beat with reliability 0.3; each on time leaves 0.85 of the doubt: 0.70, 0.595, 0.506, 0.430, 0.365.
        #expect(rhythm((0..<5).map { Double($0) * 60 }).expected == nil)
        let call = try #require(rhythm((0..<6).map { Double($0) * 60 }).expected)
        #expect(abs(call.at - 360) < 1e-9)
        #expect(abs(call.probability - (1 - 0.7 * 0.85 * 0.85 * 0.85 * 0.85)) < 1e-9)
    }

    @Test func `a schedule of two times an hour is known by the call before last`() throws {
        let starts = (0..<16).map { call -> Double in Double(call / 2) * 3600 + Double(call % 2) * 600 }
        let call = try #require(rhythm(starts).expected)
        #expect(abs(call.at - 8 * 3600) < 1)
        #expect(call.tolerance < 72)
    }

    @Test func `calls by chance are not taken for a clock`() {
        var random = SplitMix(state: 7)
        var rhythm = ArrivalRhythm()
        var (now, believed) = (0.0, 0)
        for _ in 0..<5000 {
            // The least of ten uniform numbers is nearly exponential.
            let draws = (0..<10).map { _ in Double.random(in: 0..<1, using: &random) }
            now += 600 * (draws.min() ?? 1)
            rhythm.recordStart(at: now)
            believed += rhythm.expected == nil ? 0 : 1
        }
        #expect(believed < 50)
    }

    @Test func `a clock that stops is forgotten, and another is learnt`() throws {
        var rhythm = rhythm((0..<20).map { Double($0) * 60 })
        for start in [1170.0, 1301, 1310] { rhythm.recordStart(at: start) }
        #expect(rhythm.expected == nil)
        for start in 1...12 { rhythm.recordStart(at: 1310 + Double(start) * 300) }
        let call = try #require(rhythm.expected)
        #expect(abs(call.at - (1310 + 13 * 300)) < 1)
    }

    @Test func `what was not there in time is believed less`() {
        var rhythm = ArrivalRhythm()
        for _ in 0..<10 { rhythm.recordPromise(kept: false) }
        #expect(abs(rhythm.kept - 0.348_678_440_1) < 1e-9)
    }
}
