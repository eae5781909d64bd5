import NIOCore

/// Base64 with padding (RFC 4648, section 4).
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each digit; 0xFF for what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var count = 0
        func digit(_ shift: UInt32) -> UInt8 { digits[Int(group >> shift & 63)] }
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            count += 1
            guard count == 3 else { continue }
            text.append(digit(18))
            text.append(digit(12))
            text.append(digit(6))
            text.append(digit(0))
            (group, count) = (0, 0)
        }
        if count == 1 {
            group <<= 16
            text.append(contentsOf: [digit(18), digit(12), UInt8(ascii: "="), UInt8(ascii: "=")])
        } else if count == 2 {
            group <<= 8
            text.append(contentsOf: [digit(18), digit(12), digit(6), UInt8(ascii: "=")])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: `nil` unless `text` consists of digits and the padding that makes its length a multiple of four.
    static func decode(_ text: ByteBuffer) -> [UInt8]? {
        text.withUnsafeReadableBytes { decode($0) }
    }

    static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        guard !text.isEmpty else { return [] }
        let padding = text[text.count - 2] == UInt8(ascii: "=") ? 2 : text[text.count - 1] == UInt8(ascii: "=") ? 1 : 0
        guard padding < 2 || text[text.count - 1] == UInt8(ascii: "=") else { return nil }
        let digitCount = text.count - padding
        var isLegal = true
        let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { output, count in
            values.withUnsafeBufferPointer { values in
                var group: UInt32 = 0
                for position in 0..<text.count {
                    let value = position < digitCount ? values[Int(text[position])] : 0
                    guard value != 0xFF else {
                        isLegal = false
                        return
                    }
                    group = group << 6 | UInt32(value)
                    guard position & 3 == 3 else { continue }
                    output[count] = UInt8(truncatingIfNeeded: group >> 16)
                    output[count + 1] = UInt8(truncatingIfNeeded: group >> 8)
                    output[count + 2] = UInt8(truncatingIfNeeded: group)
                    count += 3
                    group = 0
                }
                count -= padding
            }
        }
        return isLegal ? bytes : nil
    }
}
