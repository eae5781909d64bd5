public import EngineCore

/// Which frontend of a site has the row, and the container, of a routing value (STICK-19).
///
/// Every frontend must come to the same answer without asking. So each value is given to the node with the greatest weight among those
/// that can be reached, the weight being a hash of node and value together: rendezvous hashing (D. G. Thaler, C. V. Ravishankar, "Using
/// Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998). When a node goes only its values move,
/// each to the next in its own order; when it is back only those return. A ring with points for each node would need a table to be as
/// even, and a site has few nodes, so looking at each of them costs less than a microsecond. A shared table would be exact in every
/// moment, and one more thing that can be out of reach.
///
/// Frontends that disagree for a moment about who can be reached give one value two containers for that moment, and the caller is told
/// so (`new`).
public struct SiteRing: Hashable, Sendable {
    /// What a value is routed by.
    public struct Key: Hashable, Sendable {
        public let function: FunctionKey
        public let version: FunctionVersion
        public let value: String

        public init(function: FunctionKey, version: FunctionVersion, value: String) {
            self.function = function
            self.version = version
            self.value = value
        }
    }

    /// The nodes of the site by name, this one included.
    public let nodes: [String]

    public init(nodes: some Sequence<String>) { self.nodes = Set(nodes).sorted() }

    /// The nodes in the order in which the value is theirs. O(n log n) over the nodes.
    public func order(of key: Key) -> [String] {
        nodes.map { ($0, Self.weight($0, key)) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map(\.0)
    }

    /// The one whose the value is among those that `canBe`; `nil` when none can. O(nodes).
    public func owner(of key: Key, among canBe: (String) -> Bool) -> String? {
        // Of equal weights the first name, as in `order`.
        var best: (node: String, weight: UInt64)?
        for node in nodes where canBe(node) {
            let weight = Self.weight(node, key)
            if best.map({ weight > $0.weight }) ?? true { best = (node, weight) }
        }
        return best?.node
    }

    private static func weight(_ node: String, _ key: Key) -> UInt64 {
        var hash = AffinityHash()
        for text in [
            node, key.function.account.description, key.function.region, key.function.name, key.version.description, key.value,
        ] { hash.combine(text) }
        return hash.value
    }
}
