// Which regions hold a function's versions? Those that score highest for it, by rendezvous hashing: each region is given a number made
// from the function and its own name, and the first ones in descending order are the subset. So every node that knows the same regions
// finds the same subset without asking anybody; functions spread evenly; and a region that comes or goes changes only the subsets it is
// in. A ring of hashes would need many points for each region to spread as evenly.
//
// Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998.

public import EngineCore

/// The regions that are to hold a function's versions. Pure.
public enum ReplicaChoice {
    /// All regions, the first to hold the function first. O(regions log regions).
    public static func order(_ function: FunctionKey, among regions: [String]) -> [String] {
        let base = RegionDirectory.hash(function.arn)
        return regions.map { (name: $0, score: mixed(base ^ mixed(RegionDirectory.hash($0)))) }
            .sorted { ($0.score, $0.name) > ($1.score, $1.name) }.map(\.name)
    }

    /// The first of `order` that can be reached: one that cannot is replaced by the next for as long as that lasts.
    public static func members(_ order: [String], breadth: Int, isReachable: (String) -> Bool) -> [String] {
        Array(order.lazy.filter(isReachable).prefix(breadth))
    }

    /// Spreads what differs in few bits over all of them; the finaliser of S. Vigna's SplitMix64.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
