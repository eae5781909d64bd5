// How often is a function called, lately?
//
// What. Every function has a decayed count: each call counts 1 when it happens and half as much after every half-life.
// The count times ln 2 is the rate in calls per half-life (a steady stream settles at exactly its own rate). A function
// becomes frequent at one threshold and stops being frequent at a lower one, so that noise at the edge moves nothing.
//
// How. Calls are weighed forward from a fixed landmark instead of backward from now: a call at time t (in half-lives)
// weighs 2^t for ever, and a count is divided by 2^now when it is read. Nothing needs to be aged by a timer, calls may
// arrive out of order, and since every count shrinks by the same factor *the order of two untouched functions never
// changes*. 2^t would overflow after 1024 half-lives, so the sum is held as its logarithm, the score:
//
//     score = log2 Σ 2^tᵢ        add t: max + log2(1 + 2^-|score - t|)        count at now: 2^(score - now)
//
// The table is bounded. Scores only grow, so a min-heap may hold old scores as lower bounds: counting a known function
// is one dictionary look-up and does not touch the heap. Only when the full table meets a new function is the root
// brought up to date, sunk, and looked at again, until it is current: that is the smallest count, and it gives way.
// Each such repair is paid for by an earlier call, so a call costs O(1), or O(log limit) amortised while functions churn.
//
// Refused. A Count-Min sketch with periodic halving (TinyLFU): collisions make a rare function look frequent, halving
// makes the answer depend on the phase of the timer, and it has no place for the hysteresis bit; a POP knows few enough
// functions to count them. Space-Saving, where the newcomer inherits the evicted count: it errs towards frequent, which
// spends scarce memory; forgetting errs towards uncommon, which costs one forward. A sliding window: memory per call.
// The time since the last call: one stray call would make a rare function look popular.
//
// Source: G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu, "Forward Decay: A Practical Time Decay Model for Streaming
// Systems", ICDE 2009, §3 and §6 (exponential decay and its numerical range).

public import EngineCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The exponentially decayed call rate of at most `frequencyEntryLimit` functions, and which of them are frequent.
///
/// It records every call of this node's clients, wherever the call then ran; `now` may lag a little behind earlier ones.
public struct DecayedFrequency: Sendable {
    private struct Entry {
        let key: FunctionKey
        /// log2 of the sum of 2^t over the calls. It never falls.
        var score: Double
        /// The hysteresis bit as of the last call.
        var isFrequent: Bool
    }

    /// What the heap knows of one entry.
    private struct Floor {
        /// At most the entry's score.
        var score: Double
        let slot: Int
    }

    private let configuration: PlacementConfiguration
    private let nanosecondsPerHalfLife: Double
    private var slots: [FunctionKey: Int] = [:]
    private var entries: [Entry] = []
    /// A binary min-heap by `score`, with one element for each entry.
    private var floors: [Floor] = []

    public init(configuration: PlacementConfiguration) {
        self.configuration = configuration
        nanosecondsPerHalfLife = Double(configuration.frequencyHalfLife.wholeNanoseconds)
    }

    /// The number of functions remembered, never more than the limit.
    public var count: Int { entries.count }

    /// Counts one call. When the table is full and `key` is new, the function with the smallest rate is forgotten.
    ///
    /// - Complexity: O(1) for a known function; O(log limit) amortised for a new one.
    public mutating func record(_ key: FunctionKey, at now: EngineInstant) {
        let time = halfLives(now)
        if let slot = slots[key] {
            // Between two calls a rate only falls, so the lower threshold needs a look just before the call.
            let stayed = entries[slot].isFrequent && isKept(entries[slot], at: time)
            let score = entries[slot].score
            entries[slot].score = max(score, time) + log1p(exp2(-abs(score - time))) / M_LN2
            entries[slot].isFrequent = stayed || rate(entries[slot], at: time) >= configuration.frequentCallsPerHalfLife
        } else {
            insert(Entry(key: key, score: time, isFrequent: false))
        }
    }

    /// The decayed rate in calls per half-life; 0 for a function that is not remembered.
    public func callsPerHalfLife(of key: FunctionKey, at now: EngineInstant) -> Double {
        slots[key].map { rate(entries[$0], at: halfLives(now)) } ?? 0
    }

    /// Whether the function reached the upper threshold and has not fallen below the lower one since.
    public func isFrequent(_ key: FunctionKey, at now: EngineInstant) -> Bool {
        slots[key].map { entries[$0].isFrequent && isKept(entries[$0], at: halfLives(now)) } ?? false
    }

    private func halfLives(_ instant: EngineInstant) -> Double { Double(instant.nanoseconds) / nanosecondsPerHalfLife }

    private func rate(_ entry: Entry, at time: Double) -> Double {
        exp2(entry.score - time) * PlacementConfiguration.ratePerCall
    }

    private func isKept(_ entry: Entry, at time: Double) -> Bool {
        rate(entry, at: time) >= configuration.uncommonCallsPerHalfLife
    }
}

// The bounded table.
extension DecayedFrequency {
    private mutating func insert(_ entry: Entry) {
        if entries.count < configuration.frequencyEntryLimit {
            slots[entry.key] = entries.count
            floors.append(Floor(score: entry.score, slot: entries.count))
            entries.append(entry)
            raiseLastFloor()
        } else {
            let slot = slotOfSmallest()
            slots[entries[slot].key] = nil
            slots[entry.key] = slot
            entries[slot] = entry
            floors[0].score = entry.score
            sinkFirstFloor()
        }
    }

    /// Repairs the root until it is current. Each repair consumes the calls that made one floor stale.
    private mutating func slotOfSmallest() -> Int {
        while true {
            let slot = floors[0].slot
            guard entries[slot].score > floors[0].score else { return slot }
            floors[0].score = entries[slot].score
            sinkFirstFloor()
        }
    }

    private mutating func sinkFirstFloor() {
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < floors.count else { return }
            let right = left + 1
            let child = right < floors.count && floors[right].score < floors[left].score ? right : left
            guard floors[child].score < floors[parent].score else { return }
            floors.swapAt(parent, child)
            parent = child
        }
    }

    private mutating func raiseLastFloor() {
        var child = floors.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard floors[child].score < floors[parent].score else { return }
            floors.swapAt(parent, child)
            child = parent
        }
    }
}
