/// How long the runs of a function take: a mean that follows changes, and how sure it is.
///
/// Runs differ by orders of magnitude, so the difference of two means says nothing until it is far beyond what chance makes of it.
struct RunTime: Hashable, Sendable {
    /// Runs that count fully; later ones move the means by a tenth.
    static let countMax = 10
    /// Runs on either side before the two are compared, and standard errors that the difference must exceed.
    static let comparedFrom = 10
    static let errorsMin = 4.0

    /// Seconds.
    private(set) var mean = 0.0
    /// The mean distance from the mean, in seconds.
    private var deviation = 0.0
    private var count = 0

    var known: Double? { count > 0 ? mean : nil }

    mutating func add(_ seconds: Double) {
        count = min(count + 1, Self.countMax)
        let weight = count < Self.countMax ? 1 / Double(count) : 0.1
        let distance = seconds - mean
        mean += weight * distance
        if count > 1 { deviation += weight * (abs(distance) - deviation) }
    }

    /// By how many seconds runs take longer than others, as far as that is beyond doubt; 0 otherwise.
    func excess(over other: RunTime) -> Double {
        guard count >= Self.comparedFrom, other.count >= Self.comparedFrom else { return 0 }
        let difference = mean - other.mean
        // A decayed mean of weight 1/10 is worth 19 observations; a mean distance is about 0.8 standard deviations.
        let error = 1.25 * (deviation * deviation + other.deviation * other.deviation).squareRoot() / 19.0.squareRoot()
        let sure = abs(difference) - Self.errorsMin * error
        return sure > 0 ? (difference < 0 ? -sure : sure) : 0
    }
}
