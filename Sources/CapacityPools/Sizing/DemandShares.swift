/// One total, shared in the ratio of demand (POOL-18).
enum DemandShares {
    struct Claim: Hashable, Sendable {
        /// Given in any case.
        let floor: Int
        /// Never given more.
        let want: Int
        /// Calls per second, or anything else in the same ratio.
        let weight: Double

        /// Who is in demand gets one, however little it is.
        var least: Int { max(floor, min(want, 1)) }
    }

    /// Shares of `total`, each between its claim's floor and want, as near to the ratio of weights as whole numbers are: what is over
    /// goes to the largest remainders (Hamilton's method). Shares that are no more than one away from it stay as they were.
    ///
    /// - Returns: a share for each claim. Their sum exceeds `total` only by floors. O(claims²).
    static func split(_ claims: [Claim], total: Int?, previous: [Int]? = nil) -> [Int] {
        guard let total, claims.reduce(0, { $0 + max($1.floor, $1.want) }) > total else {
            return claims.map { max($0.floor, $0.want) }
        }
        guard claims.reduce(0, { $0 + $1.least }) < total else { return oneEach(claims, total) }
        let ideal = idealShares(claims, total)
        if let previous, stays(previous, ideal, claims, total) { return previous }
        var shares = zip(ideal, claims).map { max($1.least, Int($0)) }
        let byRemainder = claims.indices.sorted { (ideal[$0] - Double(shares[$0]), $1) > (ideal[$1] - Double(shares[$1]), $0) }
        for index in byRemainder where shares.reduce(0, +) < total && shares[index] < claims[index].want { shares[index] += 1 }
        return shares
    }

    /// There is not even one for each: the most wanted get it.
    private static func oneEach(_ claims: [Claim], _ total: Int) -> [Int] {
        var shares = claims.map(\.floor)
        let byWeight = claims.indices.sorted { (claims[$0].weight, $1) > (claims[$1].weight, $0) }
        for index in byWeight where shares.reduce(0, +) < total { shares[index] = claims[index].least }
        return shares
    }

    /// Multiples of the weights by one factor, but for the limits of each. Its sum grows with the factor, which is found by halving.
    private static func idealShares(_ claims: [Claim], _ total: Int) -> [Double] {
        func shares(_ factor: Double) -> [Double] {
            claims.map { min(max($0.weight * factor, Double($0.least)), Double(max($0.floor, $0.want))) }
        }
        var low = 0.0
        var high = Double(total) / max(claims.lazy.map(\.weight).filter { $0 > 0 }.min() ?? 1, 1e-9)
        for _ in 0..<64 {
            let middle = (low + high) / 2
            if shares(middle).reduce(0, +) < Double(total) { low = middle } else { high = middle }
        }
        return shares(high)
    }

    private static func stays(_ previous: [Int], _ ideal: [Double], _ claims: [Claim], _ total: Int) -> Bool {
        guard previous.count == claims.count, previous.reduce(0, +) == total else { return false }
        return claims.indices.allSatisfy { index in
            previous[index] >= claims[index].least && previous[index] <= max(claims[index].floor, claims[index].want)
                && abs(Double(previous[index]) - ideal[index]) <= 1
        }
    }
}
