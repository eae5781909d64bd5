/// The tenant: a 12-digit AWS-style account number.
///
/// Everything a tenant owns is keyed by it, and nothing is shared across two of them (WHOLE-01).
public struct AccountID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Exactly twelve ASCII digits.
    public let description: String

    /// - Returns: `nil` unless `text` is exactly twelve ASCII digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 12, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        description = String(text)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = AccountID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a 12-digit account id: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
