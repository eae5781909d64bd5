#if canImport(Glibc)
import Glibc
#endif

/// Logarithmic bins for the time between the end of one call and the beginning of the next.
///
/// Six to the octave from 20 ms: 126 bins reach 11.6 hours, and a bin is 12 % wide, which is finer than any arrival process is regular.
enum GapBins {
    static let perOctave = 6.0
    /// In seconds. Everything shorter is in the first bin.
    static let lowest = 0.02
    static let count = 126

    /// Lower edges in seconds, and the upper edge of the last bin.
    static let edges: [Double] = (0...count).map { lowest * exp2(Double($0) / perOctave) }
    /// Geometric middles in seconds.
    static let middles: [Double] = (0..<count).map { (edges[$0] * edges[$0 + 1]).squareRoot() }

    /// - Parameter gap: in seconds; may be negative when clocks disagree.
    static func bin(of gap: Double) -> Int {
        guard gap > lowest else { return 0 }
        return min(count - 1, Int(log2(gap / lowest) * perOctave))
    }
}
