/// How many spares serve demand at random that is replaced one for one (the essay is in `WarmingSizer.swift`).
enum BaseStock {
    /// More is taken for an accident.
    static let peakednessMax = 16.0
    /// Less is what chance makes of measuring 1.
    private static let peakednessMin = 1.2

    /// The smallest stock of which at most the share `loss` of takes finds nothing. O(answer).
    ///
    /// - Parameters:
    ///   - load: takes within the lead of a replacement, at least 0.
    ///   - peakedness: variance ÷ mean of takes; less than 1.2 counts as 1, which is demand at random.
    ///   - loss: more than 0.
    /// - Returns: at least 1, at most `limit`.
    static func level(load: Double, peakedness: Double, loss: Double, limit: Int) -> Int {
        guard limit > 0 else { return 0 }
        let peakedness = peakedness < peakednessMin ? 1 : min(peakedness, peakednessMax)
        let load = load / peakedness
        var count = 0.0
        var lost = 1.0
        repeat {
            count += 1
            // Erlang's loss formula, from n − 1 to n.
            lost = load * lost / (count + load * lost)
        } while lost > loss && count * peakedness < Double(limit)
        return min(limit, Int((count * peakedness).rounded(.up)))
    }
}
