/// Decides whether bytes are one JSON text (RFC 8259), strictly, in one pass and without building anything.
///
/// Every event of every call goes through here, so it is a loop over bytes with a bit for each open container instead of a
/// recursive parser; nesting is limited, because the function's own parser is recursive more often than not.
///
/// ```
///              '[' '{'                     ']' '}'
/// expectValue ─────────► (deeper) …  afterValue ─────► afterValue of the outer one
///      ▲  └── scalar ──► afterValue ── ',' ──► expectValue, or a name and ':' first in an object
/// ```
///
/// UTF-8 is checked in strings (Unicode 15, table 3-7); elsewhere only ASCII is legal. Escapes of lone surrogates are legal JSON.
struct JSONScanner {
    /// Containers within one another, as Jackson permits by default.
    static let depthMax = 1000

    private let bytes: UnsafeBufferPointer<UInt8>
    private let depthMax: Int
    private var position = 0
    /// For each open container whether it is an object, the innermost last.
    private var containers: [Bool] = []

    // SAFETY: the buffer is only used while `validate` runs, inside the closure that lends it.
    private init(_ bytes: UnsafeBufferPointer<UInt8>, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    /// O(bytes), O(depth) memory.
    /// - Throws: what is wrong at the first place where no JSON text can continue.
    static func validate(_ bytes: UnsafeRawBufferPointer, depthMax: Int = JSONScanner.depthMax) throws(JSONFault) {
        var scanner = JSONScanner(bytes.assumingMemoryBound(to: UInt8.self), depthMax: depthMax)
        try scanner.scan()
    }

    private mutating func scan() throws(JSONFault) {
        while true {
            skipBlanks()
            if try opensContainer() { continue }
            // A value has ended: close what it ends, and go on behind the next comma.
            while true {
                skipBlanks()
                guard let isObject = containers.last else {
                    guard position == bytes.count else { throw unexpected("expected the end of the text") }
                    return
                }
                guard let byte = peek() else { throw ended("within \(isObject ? "an object" : "an array")") }
                if byte == UInt8(ascii: ",") {
                    position += 1
                    if isObject {
                        skipBlanks()
                        try scanName()
                    }
                    break
                }
                guard byte == UInt8(ascii: isObject ? "}" : "]") else {
                    throw unexpected("expected a comma or the end of the \(isObject ? "object" : "array")")
                }
                position += 1
                containers.removeLast()
            }
        }
    }

    /// Scans a value up to its end, or up to the first value within a container.
    /// - Returns: whether a value must follow.
    private mutating func opensContainer() throws(JSONFault) -> Bool {
        guard let byte = peek() else { throw ended("where a value should be") }
        switch byte {
        case UInt8(ascii: "{"):
            try open(isObject: true)
            skipBlanks()
            if peek() == UInt8(ascii: "}") { return close() }
            try scanName()
            return true
        case UInt8(ascii: "["):
            try open(isObject: false)
            skipBlanks()
            return peek() == UInt8(ascii: "]") ? close() : true
        case UInt8(ascii: "\""): try scanString()
        case UInt8(ascii: "-"), 0x30...0x39: try scanNumber()
        case UInt8(ascii: "t"): try scanToken("true")
        case UInt8(ascii: "f"): try scanToken("false")
        case UInt8(ascii: "n"): try scanToken("null")
        default: throw unexpected("expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
        }
        return false
    }

    private mutating func open(isObject: Bool) throws(JSONFault) {
        guard containers.count < depthMax else {
            throw fault("Document nesting depth (\(depthMax + 1)) exceeds the maximum allowed (\(depthMax))")
        }
        containers.append(isObject)
        position += 1
    }

    private mutating func close() -> Bool {
        containers.removeLast()
        position += 1
        return false
    }

    /// A member's name and the colon behind it.
    private mutating func scanName() throws(JSONFault) {
        guard let byte = peek() else { throw ended("within an object") }
        guard byte == UInt8(ascii: "\"") else { throw unexpected("was expecting double-quote to start field name") }
        try scanString()
        skipBlanks()
        guard let colon = peek() else { throw ended("within an object") }
        guard colon == UInt8(ascii: ":") else { throw unexpected("was expecting a colon to separate field name and value") }
        position += 1
    }

    private mutating func scanString() throws(JSONFault) {
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"): try scanEscape()
            case 0..<0x20: throw unexpected("has to be escaped using backslash to be included in string value")
            case 0x20..<0x80: position += 1
            default: try scanMultibyte(byte)
            }
        }
        throw ended("within a string")
    }

    private mutating func scanEscape() throws(JSONFault) {
        position += 1
        guard let byte = peek() else { throw ended("within a string") }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard let digit = peek() else { throw ended("within a string") }
                switch digit {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66: position += 1
                default: throw unexpected("expected a hex-digit for character escape sequence")
                }
            }
        default: throw unexpected("unrecognized character escape")
        }
    }

    /// One character of two to four bytes: no overlong form, no surrogate, nothing above U+10FFFF.
    private mutating func scanMultibyte(_ first: UInt8) throws(JSONFault) {
        let count: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: count = 2
        case 0xE0: (count, second) = (3, 0xA0...0xBF)
        case 0xED: (count, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: count = 3
        case 0xF0: (count, second) = (4, 0x90...0xBF)
        case 0xF4: (count, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: count = 4
        default: throw fault("Invalid UTF-8 start byte 0x\(String(first, radix: 16))")
        }
        guard position + count <= bytes.count else { throw ended("within a character") }
        for offset in 1..<count where !(offset == 1 ? second : 0x80...0xBF).contains(bytes[position + offset]) {
            position += offset
            throw fault("Invalid UTF-8 middle byte 0x\(String(bytes[position], radix: 16))")
        }
        position += count
    }

    private mutating func scanNumber() throws(JSONFault) {
        if peek() == UInt8(ascii: "-") { position += 1 }
        if peek() == UInt8(ascii: "0") {
            position += 1
            if let byte = peek(), (0x30...0x39).contains(byte) { throw fault("Invalid numeric value: Leading zeroes not allowed") }
        } else {
            try scanDigits()
        }
        if peek() == UInt8(ascii: ".") {
            position += 1
            try scanDigits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try scanDigits()
        }
    }

    private mutating func scanDigits() throws(JSONFault) {
        guard let byte = peek() else { throw ended("within a number") }
        guard (0x30...0x39).contains(byte) else { throw unexpected("expected digit (0-9) to follow in a number") }
        while let byte = peek(), (0x30...0x39).contains(byte) { position += 1 }
    }

    private mutating func scanToken(_ token: StaticString) throws(JSONFault) {
        guard bytes.count - position >= token.utf8CodeUnitCount else { throw ended("within a token") }
        for offset in 0..<token.utf8CodeUnitCount where bytes[position + offset] != token.utf8Start[offset] {
            position += offset
            throw unexpected("was expecting the token '\(token)'")
        }
        position += token.utf8CodeUnitCount
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    // MARK: - What is wrong

    private func unexpected(_ expectation: String) -> JSONFault {
        guard let byte = peek() else { return ended("where more should be") }
        let character = (0x21...0x7E).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))' (code \(byte))" : "(CTRL-CHAR, code \(byte))"
        return fault("Unexpected character (\(character)): \(expectation)")
    }

    private func ended(_ place: String) -> JSONFault { fault("Unexpected end-of-input \(place)") }

    private func fault(_ message: String) -> JSONFault {
        let before = bytes[..<min(position, bytes.count)]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        return JSONFault(message: message, line: line, column: position - lineStart + 1)
    }
}

/// Why bytes are not JSON.
struct JSONFault: Error, Hashable, CustomStringConvertible {
    /// What was found and what would have been legal.
    let message: String
    /// From 1.
    let line: Int
    /// In bytes, from 1.
    let column: Int

    var description: String { "\(message) at line: \(line), column: \(column)" }
}
