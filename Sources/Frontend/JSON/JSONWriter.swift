import EngineCore

/// Writes the JSON of answers: members in the order of the calls, nothing for what is absent, as AWS does.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// One object, written by `body`.
    static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.braces("{", "}", body)
        return writer.bytes
    }

    mutating func member(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        appendJSONString(value, to: &bytes)
    }

    mutating func member(_ name: String, _ value: Int?) {
        guard let value else { return }
        key(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    mutating func member(_ name: String, object body: (inout JSONWriter) -> Void) {
        key(name)
        needsComma = false
        braces("{", "}", body)
        needsComma = true
    }

    /// A map, sorted by its keys so that equal maps give equal texts.
    mutating func member(_ name: String, map: [String: String]) {
        member(name) { writer in
            for (key, value) in map.sorted(by: { $0.key < $1.key }) { writer.member(key, value) }
        }
    }

    mutating func member(_ name: String, _ values: [String]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendJSONString(value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// A list of objects, each written by `body`.
    mutating func member<Element>(_ name: String, each elements: [Element], _ body: (Element, inout JSONWriter) -> Void) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            needsComma = false
            braces("{", "}") { body(element, &$0) }
        }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    private mutating func key(_ name: String) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        appendJSONString(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func braces(_ left: String, _ right: String, _ body: (inout JSONWriter) -> Void) {
        bytes.append(contentsOf: left.utf8)
        body(&self)
        bytes.append(contentsOf: right.utf8)
    }
}
