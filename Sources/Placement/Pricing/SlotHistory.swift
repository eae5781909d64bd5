#if canImport(Glibc)
import Glibc
#endif

/// When concurrency slot j of a function is used: the (j+1)-th of its calls that are under way at once.
///
/// A function that is called twice at once every minute needs a second container for that minute's sake only, which no history of
/// the function as a whole would tell.
struct SlotHistory {
    /// Its own histogram in the ``HistogramStore``; `nil` until it has returned once, and when the store is full.
    var histogram: Int32?
    /// The sum of its histogram.
    var weight: Float = 0
    /// When the last call in this slot ended, or the slot was opened, in seconds; `nil` while a call is under way, and before the first
    /// of all.
    var endedAt: Double?
    /// The decayed mean gap in seconds; 0 before the first return.
    var meanGap: Double = 0
    /// The class that began the gap under way, whose experience stands in for what the slot has not seen itself.
    var classIndex = GapClass.unknownLater
    /// What was computed last. It holds while the age stays in one bin and the weight the same.
    var cache = Cache()

    struct Cache {
        /// Ages in seconds; nothing is cached while `to` is 0.
        var from = 0.0
        var to = 0.0
        var weight: Float = 0
        /// Returns per second.
        var density: Double = 0
        /// The probability of a return within the horizon that has this density.
        var probability: Double = 0
    }
}

/// What slots of like mean gap have seen together, for those with little history of their own.
struct GapClass {
    /// One to each octave of the mean gap, and two for slots that were never seen to return.
    static let count = 26
    static let unknownFirst = 24
    static let unknownLater = 25
    /// Gaps after which everything a class has seen counts half.
    static let returnsMax = 20_000.0

    /// Gaps by bin.
    var histogram = [Float](repeating: 0, count: GapBins.count)
    /// Gaps that ended in a call.
    var returns = 0.0
    /// Gaps that began.
    var starts = 0.0

    static func index(ofMeanGap gap: Double) -> Int { min(23, max(0, Int(log2(gap + 0.02) + 6))) }

    mutating func recordReturn(bin: Int) {
        histogram[bin] += 1
        returns += 1
        guard returns > Self.returnsMax else { return }
        for bin in histogram.indices { histogram[bin] *= 0.5 }
        returns *= 0.5
        starts *= 0.5
    }
}

/// A bounded number of histograms in one allocation.
struct HistogramStore {
    /// The sum after which everything a histogram has seen counts half: old habits are forgotten.
    static let weightMax: Float = 100

    private(set) var bins: [Float] = []
    private var free: [Int32] = []
    let limit: Int

    init(limit: Int) { self.limit = limit }

    /// - Returns: `nil` when the limit is reached. The slot then lives by its class alone.
    mutating func take() -> Int32? {
        if let reused = free.popLast() {
            for bin in range(of: reused) { bins[bin] = 0 }
            return reused
        }
        let number = bins.count / GapBins.count
        guard number < limit else { return nil }
        bins.append(contentsOf: repeatElement(0, count: GapBins.count))
        return Int32(number)
    }

    mutating func giveBack(_ histogram: Int32) { free.append(histogram) }

    func range(of histogram: Int32) -> Range<Int> {
        let first = Int(histogram) * GapBins.count
        return first..<first + GapBins.count
    }

    /// - Returns: the histogram's new sum.
    mutating func record(_ bin: Int, in histogram: Int32, weight: Float) -> Float {
        let range = range(of: histogram)
        bins[range.lowerBound + bin] += 1
        guard weight + 1 > Self.weightMax else { return weight + 1 }
        var sum: Float = 0
        for bin in range {
            bins[bin] *= 0.5
            sum += bins[bin]
        }
        return sum
    }
}
