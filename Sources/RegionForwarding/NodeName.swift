/// The name of a node: a DNS label, since peers verify each other's certificates by it.
public enum NodeName {
    /// Whether `text` is 1 to 63 of `a-z`, `0-9` and `-`, with no `-` at either end.
    public static func isValid(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != hyphen, bytes.last != hyphen else { return false }
        return bytes.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == hyphen }
    }

    /// - Throws: `invalidName`.
    static func check(_ text: String) throws(ForwardingError) {
        guard isValid(text) else {
            throw ForwardingError(.invalidName, "\(text) is not a node name: use 1 to 63 of a-z, 0-9 and -, not - first or last.")
        }
    }

    private static let hyphen = UInt8(ascii: "-")
}
