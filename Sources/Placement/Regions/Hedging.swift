/// When a forwarded call is sent to a second region, and how many may be.
///
/// The slowest of many calls are slow for reasons of one machine: another one answers before it does (J. Dean, L. A. Barroso, "The Tail
/// at Scale", CACM 56(2), 2013). Only calls of functions that are declared idempotent may be sent twice.
public struct Hedging: Hashable, Sendable {
    /// How long the first region has to itself.
    public var after: Duration
    /// Calls sent twice, of a hundred that might be.
    public var percentMax: Int

    public init(after: Duration, percentMax: Int) {
        self.after = after
        self.percentMax = percentMax
    }
}

/// What calls have earned for others to be sent twice: each a share of one, saved up to a few. So a region that is slow with everything
/// does not bring the double load upon the next.
public struct HedgeBudget: Hashable, Sendable {
    /// What one second call costs, and the most that is saved.
    private static let price = 100
    private static let creditMax = 10 * price

    public let percentMax: Int
    private var credit = 0

    public init(percentMax: Int) { self.percentMax = percentMax }

    /// A call that might be sent twice has begun.
    public mutating func earn() { credit = min(credit + percentMax, Self.creditMax) }

    /// - Returns: whether a call may be sent a second time.
    public mutating func spend() -> Bool {
        guard credit >= Self.price else { return false }
        credit -= Self.price
        return true
    }
}
