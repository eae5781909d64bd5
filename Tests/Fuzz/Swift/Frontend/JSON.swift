internal import NIOCore

/// Bytes into the scanner every event goes through, and into the reader of request bodies, with the grammar itself as the other opinion.
func fuzzJSON(_ bytes: UnsafeRawBufferPointer) {
    let paths = ["a", "0", "a.b", "0.a", "a.0.b"]
    let texts = paths.map { JSONPath($0).text(in: ByteBuffer(bytes: bytes), bytesMax: 16) }
    let isJSON = (try? JSONScanner.validate(bytes)) != nil
    let isShallow = (try? JSONScanner.validate(bytes, depthMax: JSONValue.depthMax)) != nil
    check(isJSON || !isShallow, "a lower limit accepts more")
    check(isShallow == JSONGrammar.accepts(Array(bytes), depthMax: JSONValue.depthMax), "the scanner and the grammar do not agree")
    let value = try? JSONValue(parsing: ByteBuffer(bytes: bytes))
    check((value != nil) == isShallow, "the reader and the scanner do not agree")
    guard let value else { return }
    _ = (value.text, value.integer)
    for (path, text) in zip(paths, texts) {
        check(text == follow(path.split(separator: ".")[...], from: value), "the path and the tree do not agree")
    }
    let written = value.json
    guard let again = try? JSONValue(parsing: written) else { return check(false, "what is written cannot be read") }
    check(again.json == written, "what is written is read as something else")
}

/// What a path should find, from the whole tree.
private func follow(_ path: ArraySlice<Substring>, from value: JSONValue) -> String? {
    if let part = path.first {
        switch value {
        case .object(let members): return members[String(part)].flatMap { follow(path.dropFirst(), from: $0) }
        case .array(let elements):
            guard let index = Int(part), elements.indices.contains(index) else { return nil }
            return follow(path.dropFirst(), from: elements[index])
        default: return nil
        }
    }
    let text: String? =
        switch value {
        case .string: value.text
        case .number(let raw): String(buffer: raw)
        case .bool(let truth): truth ? "true" : "false"
        case .null, .array, .object: nil
        }
    return text.flatMap { (1...16).contains($0.utf8.count) ? $0 : nil }
}

/// RFC 8259 as it stands there, rule by rule, each a function that consumes what it matches. Slow, recursive, and obvious.
private struct JSONGrammar {
    private var rest: ArraySlice<UInt8>
    private let depthMax: Int

    static func accepts(_ bytes: [UInt8], depthMax: Int) -> Bool {
        // Everything but the contents of strings is ASCII, so bytes that are no UTF-8 are wrong wherever they are.
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var grammar = JSONGrammar(rest: bytes[...], depthMax: depthMax)
        grammar.blanks()
        return grammar.value(0) && grammar.rest.isEmpty
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    private mutating func one(of bytes: some Sequence<UInt8>) -> Bool {
        guard let first = rest.first, bytes.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func blanks() { while one(of: " \t\r\n".utf8) {} }

    /// A value and the blanks behind it.
    private mutating func value(_ depth: Int) -> Bool {
        defer { blanks() }
        return switch rest.first {
        case UInt8(ascii: "{"): list("{", "}", depth) { $0.string() && $0.separator(":") && $0.value(depth + 1) }
        case UInt8(ascii: "["): list("[", "]", depth) { $0.value(depth + 1) }
        case UInt8(ascii: "\""): string()
        default: take("true") || take("false") || take("null") || number()
        }
    }

    private mutating func separator(_ text: String) -> Bool {
        blanks()
        guard take(text) else { return false }
        blanks()
        return true
    }

    private mutating func list(_ open: String, _ close: String, _ depth: Int, _ element: (inout JSONGrammar) -> Bool) -> Bool {
        guard depth < depthMax, take(open) else { return false }
        blanks()
        if take(close) { return true }
        repeat {
            guard element(&self) else { return false }
        } while separator(",")
        return take(close)
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while !take("\"") {
            if take("\\u") {
                for _ in 0..<4 where !one(of: "0123456789abcdefABCDEF".utf8) { return false }
            } else if take("\\") {
                guard one(of: #""\/bfnrt"#.utf8) else { return false }
            } else if !one(of: UInt8(0x20)...0xFF) {
                return false
            }
        }
        return true
    }

    private mutating func number() -> Bool {
        _ = take("-")
        guard take("0") || digits() else { return false }
        if take("."), !digits() { return false }
        if one(of: "eE".utf8) {
            _ = one(of: "+-".utf8)
            return digits()
        }
        return true
    }

    private mutating func digits() -> Bool {
        guard one(of: "0123456789".utf8) else { return false }
        while one(of: "0123456789".utf8) {}
        return true
    }
}
