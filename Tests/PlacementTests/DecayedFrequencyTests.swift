import EngineCore
import Foundation
import Testing

@testable import Placement

struct DecayedFrequencyTests {
    private func isClose(_ left: Double, _ right: Double) -> Bool { abs(left - right) <= 1e-6 * max(1, abs(right)) }

    @Test func `PLACE-06 a rate halves in every half-life and a steady stream reads as its own rate`() throws {
        var frequency = DecayedFrequency(configuration: try PlacementConfiguration(frequencyHalfLife: .seconds(60)))
        let key = try function(0)
        #expect(frequency.callsPerHalfLife(of: key, at: seconds(0)) == 0)
        frequency.record(key, at: seconds(0))
        #expect(isClose(frequency.callsPerHalfLife(of: key, at: seconds(0)), M_LN2))
        #expect(isClose(frequency.callsPerHalfLife(of: key, at: seconds(60)), M_LN2 / 2))

        for call in 0..<60_000 { frequency.record(key, at: seconds(100 + Double(call) / 10)) }
        let rate = frequency.callsPerHalfLife(of: key, at: seconds(6100))
        #expect(abs(rate - 600) < 1, "10 calls per second for 100 half-lives: \(rate)")
    }

    @Test func `PLACE-06 years of idleness and calls out of order leave finite rates`() throws {
        var frequency = DecayedFrequency(configuration: try PlacementConfiguration(frequencyHalfLife: .seconds(1)))
        let key = try function(0)
        let years = seconds(3e8)
        frequency.record(key, at: seconds(0))
        #expect(frequency.callsPerHalfLife(of: key, at: years) == 0)
        frequency.record(key, at: years)
        frequency.record(key, at: years + .seconds(-1))
        #expect(isClose(frequency.callsPerHalfLife(of: key, at: years), 1.5 * M_LN2))
    }

    @Test func `PLACE-06 a function stays frequent between the thresholds and must climb again once below`() throws {
        let configuration = try PlacementConfiguration(
            frequencyHalfLife: .seconds(60), frequentCallsPerHalfLife: 5, uncommonCallsPerHalfLife: 2)
        var frequency = DecayedFrequency(configuration: configuration)
        let key = try function(0)
        for _ in 0..<8 { frequency.record(key, at: seconds(0)) }
        #expect(frequency.isFrequent(key, at: seconds(0)), "8 ln 2 = 5.5")
        #expect(frequency.isFrequent(key, at: seconds(80)), "2.2 is between the thresholds")
        #expect(!frequency.isFrequent(key, at: seconds(95)), "1.85 is below the lower one")

        frequency.record(key, at: seconds(95))
        #expect(frequency.callsPerHalfLife(of: key, at: seconds(95)) > 2)
        #expect(!frequency.isFrequent(key, at: seconds(95)), "between the thresholds again, but from below")
    }

    @Test func `PLACE-06 no steady rate at the edge flaps even at the narrowest thresholds`() throws {
        let configuration = try PlacementConfiguration(
            frequencyHalfLife: .seconds(60), frequentCallsPerHalfLife: 3 + PlacementConfiguration.ratePerCall,
            uncommonCallsPerHalfLife: 3)
        let key = try function(0)
        var everFrequent = 0
        for hundredth in stride(from: 200, through: 600, by: 1) {
            let period = 60 / (Double(hundredth) / 100)
            var frequency = DecayedFrequency(configuration: configuration)
            var changes = 0
            var last = false
            for call in 0..<500 {
                let now = Double(call) * period
                // Just before the call, where the rate is lowest, and at the call, where it is highest.
                let before = frequency.isFrequent(key, at: seconds(now))
                frequency.record(key, at: seconds(now))
                let after = frequency.isFrequent(key, at: seconds(now))
                changes += (before != last ? 1 : 0) + (after != before ? 1 : 0)
                last = after
            }
            everFrequent += last ? 1 : 0
            #expect(changes <= 1, "\(Double(hundredth) / 100) calls per half-life changed class \(changes) times")
        }
        #expect((1..<401).contains(everFrequent), "the range of rates must straddle the threshold")
    }

    @Test func `PLACE-06 a flood of new functions cannot displace the frequent ones`() throws {
        let configuration = try PlacementConfiguration(frequencyHalfLife: .seconds(60), frequencyEntryLimit: 10)
        var frequency = DecayedFrequency(configuration: configuration)
        for number in 0..<9 {
            for _ in 0..<20 { frequency.record(try function(number), at: seconds(0)) }
        }
        for number in 100..<5100 { frequency.record(try function(number), at: seconds(Double(number) / 1000)) }
        #expect(frequency.count == 10)
        for number in 0..<9 { #expect(try frequency.isFrequent(function(number), at: seconds(6))) }
    }

    /// The table against the definition: sums of powers over all calls, and a linear search for the smallest.
    @Test(arguments: seeds)
    func `PLACE-06 the bounded table agrees with a naive model and forgets the smallest`(_ seed: UInt64) throws {
        print("DecayedFrequencyTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let limit = Int.random(in: 1...24, using: &random)
        let configuration = try PlacementConfiguration(frequencyHalfLife: .seconds(60), frequencyEntryLimit: limit)
        var frequency = DecayedFrequency(configuration: configuration)
        var model: [FunctionKey: Double] = [:]
        var time = 0.0
        var evictions = 0
        for _ in 0..<4000 {
            let pause = Double.random(in: 0.001...20, using: &random)
            time += pause
            model = model.mapValues { $0 * exp2(-pause / 60) }
            // The product of two draws prefers small numbers: a few popular functions and a long tail.
            let draw = Int.random(in: 0..<8, using: &random) * Int.random(in: 0..<8, using: &random)
            let key = try function(draw)
            if model[key] == nil, model.count == limit, let smallest = model.min(by: { $0.value < $1.value }) {
                model[smallest.key] = nil
                evictions += 1
            }
            model[key, default: 0] += 1
            frequency.record(key, at: seconds(time))

            #expect(frequency.count == model.count)
            for (key, count) in model {
                let rate = frequency.callsPerHalfLife(of: key, at: seconds(time))
                try #require(isClose(rate, count * M_LN2), "seed \(seed): \(key.name) is \(rate), not \(count * M_LN2)")
            }
        }
        #expect(evictions > 0, "seed \(seed): the limit was never reached")
    }
}
