// About how often is a key seen, for millions of keys?
//
// What. A count-min sketch: four rows of one-byte counters, a key counts in one counter of each row, and its estimate is the least of
// its four. It never says less than the truth (since the last ageing) and seldom much more. Before them stands a doorkeeper, a Bloom
// filter: a key's first sighting sets its bits and no counter, so what is seen once, most keys of a long tail, never fills the rows.
//
// Ageing. After `ageing` sightings every counter has been halved once and the doorkeeper emptied, so old habits fade. The halving goes
// along with the sightings, a few counters at each, so that no call pays for a sweep over megabytes; a sweep that has not reached a
// counter yet only makes it read high by the factor that the next will take away.
//
// Hashes are the standard library's, keyed anew in each process (SipHash-1-3): who names functions cannot aim at counters.
//
// Refused. Raising only the least of a key's counters (conservative update): its four are halved at four different moments, and each
// time only the one that has just been halved would go on counting. Exact counts: 200 bytes a function is 200 MB for a million.
// Space-saving: it keeps the heavy and forgets exactly the tail that this is for. Halving all at once: a pause of a millisecond in
// one unlucky call.
//
// Source: G. Cormode, S. Muthukrishnan, "An Improved Data Stream Summary", J. Algorithms 55(1), 2005; G. Einziger, R. Friedman,
// B. Manes, "TinyLFU", ACM ToS 13(4), 2017 (doorkeeper, ageing).

/// Approximate, ageing counts of keys in memory that does not grow.
public struct FrequencySketch: Sendable {
    static let rows = 4
    /// The largest estimate.
    public static let countMax = 255

    private var counters: [UInt8]
    private var doorkeeper: [UInt64]
    private let mask: Int
    /// Sightings in which the hand goes round once, and what it owes.
    private let period: Int
    private var owed = 0
    private var hand = 0
    private let seed: UInt64

    /// - Parameters:
    ///   - keys: how many keys are to be told apart well. Memory is about 5 bytes each.
    ///   - ageing: sightings in which every counter is halved once; at least `keys`.
    public init(keys: Int, ageing: Int? = nil, seed: UInt64 = .random(in: 0 ... .max)) {
        var width = 1024
        while width < keys { width *= 2 }
        mask = width - 1
        counters = [UInt8](repeating: 0, count: width * Self.rows)
        doorkeeper = [UInt64](repeating: 0, count: width * 8 / 64)
        period = max(ageing ?? 8 * width, width)
        self.seed = seed
    }

    /// Bytes held.
    public var byteCount: Int { counters.count + doorkeeper.count * 8 }

    /// Counts one sighting. O(1).
    /// - Returns: the estimate with it.
    @discardableResult
    public mutating func see(_ key: some Hashable) -> Int {
        let hash = hash(key)
        age()
        if letIn(hash) { return 1 }
        let (least, places) = read(hash)
        for row in 0..<Self.rows where counters[places[row]] < UInt8.max { counters[places[row]] += 1 }
        return min(Self.countMax, Int(least) + 2)
    }

    /// Sightings of the key, at least; 0 if it has not been seen since it faded. O(1).
    public func estimate(_ key: some Hashable) -> Int {
        let hash = hash(key)
        let (least, _) = read(hash)
        return min(Self.countMax, Int(least) + (isKnownAtTheDoor(hash) ? 1 : 0))
    }

    // MARK: -

    private func hash(_ key: some Hashable) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed)
        hasher.combine(key)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The least counter of a key and where its counters are. The places follow from two halves of one hash (Kirsch, Mitzenmacher 2006).
    private func read(_ hash: UInt64) -> (least: UInt8, places: SIMD4<Int>) {
        let step = Int(truncatingIfNeeded: hash >> 32) | 1
        var place = Int(truncatingIfNeeded: hash)
        var least = UInt8.max
        var places = SIMD4<Int>()
        for row in 0..<Self.rows {
            let index = row * (mask + 1) + (place & mask)
            places[row] = index
            least = min(least, counters[index])
            place &+= step
        }
        return (least, places)
    }

    /// Sets the key's bits of the filter; whether one was not set before.
    private mutating func letIn(_ hash: UInt64) -> Bool {
        let (first, second) = doorBits(hash)
        let wasKnown = isSet(first) && isSet(second)
        doorkeeper[first >> 6] |= Self.mark(first)
        doorkeeper[second >> 6] |= Self.mark(second)
        return !wasKnown
    }

    private func isKnownAtTheDoor(_ hash: UInt64) -> Bool {
        let (first, second) = doorBits(hash)
        return isSet(first) && isSet(second)
    }

    private func isSet(_ bit: Int) -> Bool { doorkeeper[bit >> 6] & Self.mark(bit) != 0 }

    private static func mark(_ bit: Int) -> UInt64 { 1 << UInt64(bit & 63) }

    private func doorBits(_ hash: UInt64) -> (Int, Int) {
        let bits = doorkeeper.count * 64 - 1
        let mixed = (hash ^ (hash >> 29)) &* 0xbf58_476d_1ce4_e5b9
        return (Int(truncatingIfNeeded: mixed >> 1) & bits, Int(truncatingIfNeeded: mixed >> 33) & bits)
    }

    /// Halves the next few counters and, along with them, empties their share of the filter.
    private mutating func age() {
        owed += counters.count
        while owed >= period {
            owed -= period
            counters[hand] >>= 1
            // A word of the filter to 32 counters.
            if hand & 31 == 0 { doorkeeper[hand >> 5] = 0 }
            hand += 1
            if hand == counters.count { hand = 0 }
        }
    }
}
