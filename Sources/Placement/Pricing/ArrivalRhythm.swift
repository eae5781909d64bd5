// When a function is called by the clock: the beat of its calls, and when the next one is due.
//
// Half of all functions are called by timers. A histogram of gaps with six bins to the octave knows such a habit to 12 %, so a container
// that is started ahead of a call every half hour waits for minutes. The beat of the starts is known to the second, whatever the runs
// between them take. Each call is compared with the last, the one before and the one before that: a schedule of two or three times an
// hour repeats after so many.
//
//     interval to the call before last ... on time (within the tolerance)   reliability rises, beat and deviation follow
//                                          not                              reliability falls; below `reliabilityMin` the beat is new
//
// A beat is believed from `believedFrom` on, which takes four calls on time, and random arrivals do not reach: of exponential gaps
// hardly one in fifty is within the tolerance of another. Everything is O(1).

/// The beat of a function's calls.
struct ArrivalRhythm {
    /// Calls ago with which a call is compared, at most.
    static let lagsMax = 3
    /// How far a call may be off, as a part of the beat, and in seconds at least.
    static let tolerance = 0.02
    static let toleranceMin = 0.5
    /// Beats in seconds that are looked for: below that a container stays between two calls.
    static let beatMin = 1.0
    /// The part of calls on time from which a beat is believed, and how much more it takes for one over several calls.
    static let believedFrom = 0.6
    static let believedFromOfSeveral = 0.7
    /// Below that the beat is another.
    static let reliabilityMin = 0.35
    static let reliabilityAtFirst = 0.3
    static let reliabilityStep = 0.15
    static let beatStep = 0.2
    /// Mean distances from the beat that are waited for on either side, and seconds at least.
    static let deviationsWaited = 3.0
    static let waitMin = 0.05
    /// How fast it is learnt whether containers that were to be there in time were.
    static let keptStep = 0.1

    /// The next call by the clock.
    struct Expectation: Hashable, Sendable {
        /// Seconds since the origin.
        var at: Double
        /// Seconds by which it may be early or late.
        var tolerance: Double
        var probability: Double

        /// Whether it may still come.
        func isOpen(at now: Double) -> Bool { now <= at + tolerance }

        /// Calls per second of keeping a container until it has come or can be given up.
        func density(now: Double) -> Double { probability / (max(at - now, 0.005) + (1 - probability) * tolerance + 0.001) }

        /// Seconds won by keeping a container for it.
        func netValue(now: Double, value: Double, rent: Double) -> Double {
            probability * value - rent * (max(at - now, 0) + (1 - probability) * tolerance)
        }
    }

    private struct Beat {
        /// Seconds; 0 before the first interval.
        var length = 0.0
        var deviation = 0.0
        var reliability = 0.0
    }

    private var beats = InlineArray<3, Beat>(repeating: Beat())
    /// The last starts in seconds, the latest first; as many as `seen` are known.
    private var starts = InlineArray<3, Double>(repeating: 0)
    private var seen = 0
    /// `nil` while no beat is believed.
    private(set) var expected: Expectation?
    /// The part of planned starts that were there when the call came.
    private(set) var kept = 1.0

    mutating func recordStart(at now: Double) {
        expected = nil
        var best = 0.0
        for lag in 0..<seen {
            follow(lag, interval: now - starts[lag])
            let beat = beats[lag]
            guard beat.length > Self.beatMin, beat.reliability >= (lag == 0 ? Self.believedFrom : Self.believedFromOfSeveral),
                beat.reliability > best
            else { continue }
            best = beat.reliability + Self.believedFromOfSeveral - Self.believedFrom
            let tolerance = min(max(Self.deviationsWaited * beat.deviation, Self.waitMin), Self.tolerance(beat.length))
            // So many calls before the next is that one, which is counted once `now` is among them.
            let previous = lag == 0 ? now : starts[lag - 1]
            expected = Expectation(at: previous + beat.length, tolerance: tolerance, probability: beat.reliability)
        }
        starts = [now, starts[0], starts[1]]
        seen = min(seen + 1, Self.lagsMax)
    }

    /// Whether a container that was to be started ahead of a call was there when it came.
    mutating func recordPromise(kept isKept: Bool) { kept += Self.keptStep * ((isKept ? 1 : 0) - kept) }

    private mutating func follow(_ lag: Int, interval: Double) {
        let length = beats[lag].length
        let distance = abs(interval - length)
        if length > 0, distance <= Self.tolerance(length) {
            beats[lag].reliability += Self.reliabilityStep * (1 - beats[lag].reliability)
            beats[lag].length += Self.beatStep * (interval - length)
            beats[lag].deviation += Self.beatStep * (distance - beats[lag].deviation)
            return
        }
        beats[lag].reliability *= 1 - Self.reliabilityStep
        guard length == 0 || beats[lag].reliability < Self.reliabilityMin else { return }
        beats[lag] = Beat(length: interval, deviation: Self.tolerance(interval) / 3, reliability: Self.reliabilityAtFirst)
    }

    private static func tolerance(_ length: Double) -> Double { max(toleranceMin, tolerance * length) }
}
