/// A size in bytes.
public struct ByteCount: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public var bytes: Int

    public init(_ bytes: Int) { self.bytes = bytes }
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(count << 10) }
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(count << 20) }
    public static let zero = ByteCount(0)

    /// Whole mebibytes, rounded up.
    public var mebibytesRoundedUp: Int { (bytes + (1 << 20) - 1) >> 20 }

    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
    public static func + (left: ByteCount, right: ByteCount) -> ByteCount { ByteCount(left.bytes + right.bytes) }
    public static func - (left: ByteCount, right: ByteCount) -> ByteCount { ByteCount(left.bytes - right.bytes) }
    public static func += (left: inout ByteCount, right: ByteCount) { left.bytes += right.bytes }
    public static func -= (left: inout ByteCount, right: ByteCount) { left.bytes -= right.bytes }

    public var description: String {
        switch bytes {
        case ..<(1 << 10): "\(bytes) B"
        case ..<(1 << 20): "\(Self.oneDecimal(bytes, unit: 1 << 10)) KiB"
        case ..<(1 << 30): "\(Self.oneDecimal(bytes, unit: 1 << 20)) MiB"
        default: "\(Self.oneDecimal(bytes, unit: 1 << 30)) GiB"
        }
    }

    private static func oneDecimal(_ bytes: Int, unit: Int) -> String {
        let tenths = (bytes * 10 + unit / 2) / unit
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    public init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(Int.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
