#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A moving average that believes bad news at once and good news slowly.
///
/// A sample above the average replaces it; one below pulls it down with a time constant. So a region that becomes slow is passed over
/// after one answer, and comes back as its answers stay quick. Without samples nothing changes.
///
/// Source: peak-EWMA of Finagle's load balancers (M. Oprea, 2016).
public struct PeakAverage: Hashable, Sendable {
    /// In the unit of the samples; `nil` before the first.
    public private(set) var value: Double?
    private var sampledAt = 0.0
    /// Seconds after which a lower sample counts for 63 %.
    public let timeConstant: Double

    public init(timeConstant: Double = 10) { self.timeConstant = timeConstant }

    /// - Parameter now: in seconds, of any origin.
    public mutating func add(_ sample: Double, now: Double) {
        defer { sampledAt = max(sampledAt, now) }
        guard let old = value, sample < old else {
            value = sample
            return
        }
        let kept = exp(-max(0, now - sampledAt) / timeConstant)
        value = old * kept + sample * (1 - kept)
    }
}
