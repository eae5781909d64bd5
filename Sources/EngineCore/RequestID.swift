#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The identifier of one invocation: a lower-case UUID, the same at the client, in the function's context, in its logs, in the
/// record and on every site the call crosses.
public struct RequestID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// A new random (version 4) UUID.
    public init() {
        // Both halves with one call of the kernel (getentropy(3)), which cannot fail for so few bytes.
        var bits: (UInt64, UInt64) = (0, 0)
        guard withUnsafeMutableBytes(of: &bits, { getentropy($0.baseAddress, $0.count) }) == 0 else {
            preconditionFailure("The kernel has no random numbers.")
        }
        self.init(high: bits.0, low: bits.1)
    }

    /// - Returns: `nil` unless `text` has the form 8-4-4-4-12 of lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 36 else { return nil }
        for (index, digit) in text.utf8.enumerated() {
            switch index {
            case 8, 13, 18, 23: guard digit == 0x2D else { return nil }
            default: guard (0x30...0x39).contains(digit) || (0x61...0x66).contains(digit) else { return nil }
            }
        }
        description = String(text)
    }

    private init(high: UInt64, low: UInt64) {
        let high = high & ~0xF000 | 0x4000
        let low = low & ~(0b11 << 62) | (0b10 << 62)
        description = String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    buffer[position] = 0x2D
                    position += 1
                }
                let half = index < 16 ? high : low
                let nibble = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (index & 15))) & 15
                buffer[position] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
                position += 1
            }
            return 36
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = RequestID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a request id: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
