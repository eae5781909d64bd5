/// An IPv4 or IPv6 address as a number, so that ranges can be compared without the kernel.
///
/// IPv4-mapped IPv6 (`::ffff:10.0.0.1`, RFC 4291 section 2.5.5.2) is IPv4 from the start: the kernel connects to the same host for
/// both, and a rule about one must not be passed by writing the other.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: Hashable, Sendable {
        case v4
        case v6

        /// Bits of an address.
        var bitCount: Int { self == .v4 ? 32 : 128 }
    }

    public let family: Family
    /// The address in host order; the lowest 32 bits for IPv4.
    public let bits: UInt128

    public init(v4 bits: UInt32) {
        family = .v4
        self.bits = UInt128(bits)
    }

    /// Becomes IPv4 when the address is IPv4-mapped.
    public init(v6 bits: UInt128) {
        let isMapped = bits >> 32 == 0xFFFF
        family = isMapped ? .v4 : .v6
        self.bits = isMapped ? bits & 0xFFFF_FFFF : bits
    }

    /// Reads `192.0.2.7` or `2001:db8::7` (RFC 4291 section 2.2), without brackets and without a zone.
    ///
    /// - Returns: `nil` for everything else, such as the octal, hexadecimal and shortened IPv4 that `inet_aton` reads.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let bits = Self.parseV6(text.utf8) else { return nil }
            self.init(v6: bits)
        } else {
            guard let bits = Self.parseV4(text.utf8) else { return nil }
            self.init(v4: bits)
        }
    }

    /// Whether a name's last label is a number in some spelling (`1`, `0x7f`, `017`). Nothing in the DNS ends like that, and what reads
    /// it as an address does so by rules that this type refuses to have (WHATWG URL, "ends in a number").
    public static func endsInNumber(_ text: some StringProtocol) -> Bool {
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let last = labels.last(where: { !$0.isEmpty }) else { return false }
        if last.allSatisfy(\.isDecimalDigit) { return true }
        return last.count >= 2 && last.first == UInt8(ascii: "0") && (last.dropFirst().first.map { $0 | 0x20 } == UInt8(ascii: "x"))
            && last.dropFirst(2).allSatisfy { $0.hexadecimalValue != nil }
    }

    /// Four decimal numbers without leading zeros.
    private static func parseV4(_ text: some Collection<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var value: UInt32 = 0
            for digit in part {
                guard digit.isDecimalDigit else { return nil }
                value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            bits = bits << 8 | value
        }
        return bits
    }

    private static func parseV6(_ text: some Collection<UInt8>) -> UInt128? {
        // Nothing longer is an address; a longer text is not taken apart.
        guard text.count <= 45 else { return nil }
        let bytes = Array(text)
        let gaps = bytes.indices.dropLast().filter { bytes[$0] == UInt8(ascii: ":") && bytes[$0 + 1] == UInt8(ascii: ":") }
        guard gaps.count <= 1 else { return nil }
        guard let gap = gaps.first else {
            guard let groups = groups(bytes[...], isLast: true), groups.count == 8 else { return nil }
            return join(groups)
        }
        guard let head = groups(bytes[..<gap], isLast: false), let tail = groups(bytes[(gap + 2)...], isLast: true),
            head.count + tail.count <= 7
        else { return nil }
        return join(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    /// Groups of up to four hexadecimal digits; the last two of an address may be written as IPv4.
    private static func groups(_ text: ArraySlice<UInt8>, isLast: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let embedded = parseV4(part) else { return nil }
                groups += [UInt16(embedded >> 16), UInt16(truncatingIfNeeded: embedded)]
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var value: UInt16 = 0
            for digit in part {
                guard let digit = digit.hexadecimalValue else { return nil }
                value = value << 4 | UInt16(digit)
            }
            groups.append(value)
        }
        return groups
    }

    private static func join(_ groups: [UInt16]) -> UInt128 { groups.reduce(0) { $0 << 16 | UInt128($1) } }

    /// Whether only this machine itself can be meant: 127.0.0.0/8 and ::1.
    public var isLoopback: Bool { family == .v4 ? bits >> 24 == 127 : bits == 1 }

    /// As RFC 5952 writes it: lower case, and the longest run of two or more zero groups as `::`.
    public var description: String {
        if family == .v4 { return [24, 16, 8, 0].map { "\(bits >> $0 & 0xFF)" }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> (112 - 16 * $0)) }
        var gap = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(1, gap.count) { gap = start..<end }
            start = max(end, start + 1)
        }
        let text = { (range: Range<Int>) in groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return gap.isEmpty ? text(0..<8) : "\(text(0..<gap.lowerBound))::\(text(gap.upperBound..<8))"
    }

    /// The address as it stands before a port: IPv6 in brackets.
    public var authority: String { family == .v4 ? description : "[\(description)]" }
}

extension UInt8 {
    var isDecimalDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var hexadecimalValue: UInt8? {
        if isDecimalDigit { return self - UInt8(ascii: "0") }
        let lower = self | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(lower) ? lower - UInt8(ascii: "a") + 10 : nil
    }
}
