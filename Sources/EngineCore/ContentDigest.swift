/// The SHA-256 of some content: the name under which bundles are stored, fetched and verified.
public struct ContentDigest: Hashable, Sendable, Codable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public let hex: String

    /// - Returns: `nil` unless `hex` is 64 lower-case hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64,
            hex.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.hex = String(hex)
    }

    /// - Returns: `nil` unless `bytes` has 32 elements.
    public init?(bytes: some Sequence<UInt8>) {
        var text: [UInt8] = []
        text.reserveCapacity(64)
        appendHexadecimal(bytes, to: &text)
        guard text.count == 64 else { return nil }
        hex = String(decoding: text, as: UTF8.self)
    }

    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(32)
        var high: UInt8?
        for digit in hex.utf8 {
            let value = digit <= 0x39 ? digit - 0x30 : digit - 0x61 + 10
            if let first = high {
                result.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return result
    }

    public var description: String { hex }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = ContentDigest(hex: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a SHA-256 digest: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}
