import NIOCore

/// The escapes of JSON strings (RFC 8259, section 7).
enum JSONEscape {
    /// The text between the quotation marks of a valid JSON string, its escapes resolved. Lone surrogates become U+FFFD.
    static func resolved(_ raw: ByteBuffer) -> String {
        guard raw.readableBytesView.contains(UInt8(ascii: "\\")) else { return String(buffer: raw) }
        var text = ""
        var rest = raw.readableBytesView[...]
        while let slash = rest.firstIndex(of: UInt8(ascii: "\\")) {
            text += String(decoding: rest[..<slash], as: UTF8.self)
            rest = rest[slash...].dropFirst()
            switch rest.popFirst() {
            case UInt8(ascii: "b"): text += "\u{8}"
            case UInt8(ascii: "f"): text += "\u{C}"
            case UInt8(ascii: "n"): text += "\n"
            case UInt8(ascii: "r"): text += "\r"
            case UInt8(ascii: "t"): text += "\t"
            case UInt8(ascii: "u"): text.unicodeScalars.append(scalar(&rest))
            case let byte?: text.unicodeScalars.append(Unicode.Scalar(byte))
            case nil: break
            }
        }
        return text + String(decoding: rest, as: UTF8.self)
    }

    /// The character of one `\u`, or of two that are a surrogate pair.
    private static func scalar(_ rest: inout ByteBufferView) -> Unicode.Scalar {
        let first = unit(&rest)
        guard (0xD800..<0xDC00).contains(first), rest.starts(with: "\\u".utf8) else {
            return Unicode.Scalar(first) ?? "\u{FFFD}"
        }
        var behind = rest.dropFirst(2)
        let second = unit(&behind)
        guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
        rest = behind
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private static func unit(_ rest: inout ByteBufferView) -> UInt32 {
        let digits = String(decoding: rest.prefix(4), as: UTF8.self)
        rest = rest.dropFirst(4)
        return UInt32(digits, radix: 16) ?? 0xFFFD
    }
}
