/// A hash that is the same in every process, on every node, and in every version of the program.
///
/// Values are spread over buckets and sites by it, and a value must stay where it was: over a restart, and at whichever frontend it
/// arrives. Swift's own `Hasher` is seeded anew in each process. A keyed hash (SipHash) would keep callers from aiming at one bucket,
/// but the key would have to be shared by a site and never change, and who chooses a function's values only crowds that function's
/// own containers. So: FNV-1a of 64 bits (G. Fowler, L. C. Noll, K.-P. Vo), and, since its low bits are weak and
/// rendezvous hashing compares whole numbers, the finaliser of SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
public struct AffinityHash: Sendable {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    /// Adds a text and a mark of its end, so that `("ab", "c")` and `("a", "bc")` differ.
    public mutating func combine(_ text: String) {
        for byte in text.utf8 { add(byte) }
        // No byte of UTF-8.
        add(0xFF)
    }

    public var value: UInt64 { SplitMix.mixed(state) }

    private mutating func add(_ byte: UInt8) { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
}

extension AffinityRule {
    /// What a value found in a request is routed by: its class (STICK-09).
    ///
    /// The first pattern that matches; else, with ``buckets``, `bucket:NUMBER/COUNT`; else the value itself. A class is written so that
    /// people see in records and in the table what shares a container.
    /// - Complexity: O(pattern × value) in bytes for each pattern, both of which are limited.
    public func routingValue(of value: String) -> String {
        if let pattern = patterns.first(where: { Self.matches(value, $0) }) { return pattern }
        guard let buckets, buckets > 0 else { return value }
        var hash = AffinityHash()
        hash.combine(value)
        return "bucket:\(hash.value % UInt64(buckets))/\(buckets)"
    }

    /// Whether `pattern`, in which `*` stands for any bytes or none, is the whole of `value`.
    static func matches(_ value: String, _ pattern: String) -> Bool {
        let (text, glob) = (Array(value.utf8), Array(pattern.utf8))
        var (at, part) = (0, 0)
        // Where to go on when what follows the last star does not match: behind the star, one byte further in the text.
        var star: (part: Int, at: Int)?
        while at < text.count {
            if part < glob.count, glob[part] == UInt8(ascii: "*") {
                star = (part + 1, at)
                part += 1
            } else if part < glob.count, glob[part] == text[at] {
                at += 1
                part += 1
            } else if let last = star {
                star = (last.part, last.at + 1)
                (part, at) = (last.part, last.at + 1)
            } else {
                return false
            }
        }
        return glob[part...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
