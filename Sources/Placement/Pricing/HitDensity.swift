// What an idle container is worth: two numbers from the gaps that a slot and its class have shown.
//
// A container that has been idle for `age` will be hit at some time, or never. For every horizon h the history gives the probability
// P(h) that the next call comes within it, and the expected time E(h) the container is kept until then if it is given up at the horizon.
//
//     hit density   max over h of P(h) / E(h)              hits per second of keeping; ranks containers for eviction
//     net value     max over h of v·P(h) − rent·E(h)       seconds of latency won; decides whether keeping pays at all
//
// The histogram is the slot's own plus the class's, scaled to `priorWeight` observations: a function seen once is judged by how functions
// seen once have usually fared. One pass over the bins, O(126).
//
// Source: N. Beckmann, H. Chen, A. Cidon, "LHD: Improving Cache Hit Rate by Maximizing Hit Density", NSDI 2018, which goes back to
// Gittins' index; the prior and the price are described in policy.md, section 5.

struct HitDensity {
    /// Observations that a class is worth beside a slot's own.
    static let priorWeight = 2.0
    /// What is added to "never comes back", so that no probability is ever one.
    static let doubt = 0.1

    /// A slot's predictive weights from the bin of its age on.
    private let slot: SlotHistory
    private let classes: [GapClass]
    private let store: HistogramStore

    init(_ slot: SlotHistory, classes: [GapClass], store: HistogramStore) {
        self.slot = slot
        self.classes = classes
        self.store = store
    }

    /// - Parameter age: seconds since the slot's last call ended.
    func density(age: Double) -> (density: Double, probability: Double) {
        var best = (seen: 0.0, held: 1.0)
        var all = 1.0
        walk(age: age) { seen, held, returning, total in
            // Compared by cross-multiplication: seen / held > best. No later horizon can win once all returns at this time could not.
            if seen * best.held > best.seen * held { best = (seen, held) }
            all = total
            return returning * best.held > best.seen * held
        }
        return (best.seen / best.held, best.seen / all)
    }

    /// - Parameters:
    ///   - value: what a hit saves, in seconds.
    ///   - rent: what a second of keeping costs, in seconds.
    func netValue(age: Double, value: Double, rent: Double) -> Double {
        guard value > 0 else { return 0 }
        var best = 0.0
        var all = 1.0
        walk(age: age) { seen, held, returning, total in
            best = max(best, value * seen - rent * held)
            all = total
            return value * returning - rent * held > best
        }
        return best / all
    }

    /// Visits the horizons, as long as it is told to go on: the weight seen until it, the weighted time held until it, the weight of all
    /// returns, and of all. The time held never falls from one horizon to the next.
    @inline(__always)
    private func walk(age: Double, _ goesOn: (_ seen: Double, _ held: Double, _ returning: Double, _ total: Double) -> Bool) {
        let first = GapBins.bin(of: age)
        let prior = classes[slot.classIndex]
        var scale = 0.0
        var never = Self.priorWeight + Self.doubt
        if prior.starts > 0, prior.returns > 0 {
            let part = min(1, (prior.returns + 1) / (prior.starts + 2))
            scale = Self.priorWeight * part / prior.returns
            never = Self.priorWeight * (1 - part) + Self.doubt
        }
        let own = slot.histogram.map { store.range(of: $0).lowerBound }
        store.bins.withUnsafeBufferPointer { bins in
            prior.histogram.withUnsafeBufferPointer { shared in
                GapBins.edges.withUnsafeBufferPointer { edges in
                    GapBins.middles.withUnsafeBufferPointer { middles in
                        var returning = scale * Self.sum(shared, from: first, to: GapBins.count)
                        if let own { returning += Self.sum(bins, from: own + first, to: own + GapBins.count) }
                        let total = returning + never
                        var seen = 0.0
                        var heldByReturning = 0.0
                        for bin in first..<GapBins.count {
                            let weight = scale * Double(shared[bin]) + (own.map { Double(bins[$0 + bin]) } ?? 0)
                            guard weight > 0 else { continue }
                            seen += weight
                            heldByReturning += weight * max(middles[bin] - age, 0.005)
                            guard
                                goesOn(seen, heldByReturning + (total - seen) * max(edges[bin + 1] - age, 0.01), returning, total)
                            else { return }
                        }
                    }
                }
            }
        }
    }

    /// Eight at a time, for it is half of the work.
    @inline(__always)
    private static func sum(_ values: UnsafeBufferPointer<Float>, from first: Int, to end: Int) -> Double {
        var eight = SIMD8<Float>.zero
        var place = first
        while place + 8 <= end {
            eight += SIMD8(
                values[place], values[place + 1], values[place + 2], values[place + 3], values[place + 4], values[place + 5],
                values[place + 6], values[place + 7])
            place += 8
        }
        var sum = Double(eight.sum())
        while place < end {
            sum += Double(values[place])
            place += 1
        }
        return sum
    }
}
