/// How long a boot takes: a mean that follows, and twice the usual deviation from it.
///
/// Source: V. Jacobson, "Congestion avoidance and control", 1988, where it is the time to wait for an answer.
struct BootLead: Sendable {
    private static let gain = 0.125
    private var mean: Double?
    private var deviation = 0.0

    /// - Parameter seconds: at least 0.
    mutating func measured(_ seconds: Double) {
        guard let mean else {
            self.mean = seconds
            return
        }
        deviation += Self.gain * (abs(seconds - mean) - deviation)
        self.mean = mean + Self.gain * (seconds - mean)
    }

    /// Seconds; `nil` before the first measurement.
    var estimate: Double? { mean.map { $0 + 2 * deviation } }
}
