import EngineCore
import NIOCore

/// A JSON value of a request's body, with its texts and numbers still as they were written.
///
/// Deployment packages arrive as one base64 text of up to 67 MB within such a body, so a text is a slice of the body until
/// somebody asks for it.
enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(ByteBuffer)
    /// What stands between the quotation marks, escapes included.
    case string(ByteBuffer)
    case array([JSONValue])
    /// Of equal names the last one counts.
    case object([String: JSONValue])

    /// Containers within one another in a body of the API.
    static let depthMax = 64

    /// - Throws: ``JSONFault`` unless `buffer` is exactly one JSON text.
    init(parsing buffer: ByteBuffer) throws(JSONFault) {
        let fault: JSONFault? = buffer.withUnsafeReadableBytes { bytes in
            do throws(JSONFault) {
                try JSONScanner.validate(bytes, depthMax: Self.depthMax)
                return nil
            } catch {
                return error
            }
        }
        if let fault { throw fault }
        var builder = JSONBuilder(buffer)
        self = builder.value()
    }

    /// The text of a string, its escapes resolved. Lone surrogates become U+FFFD.
    var text: String? {
        guard case .string(let raw) = self else { return nil }
        return JSONEscape.resolved(raw)
    }

    /// A number that is an `Int`, however it was written (`3`, `3.0`).
    var integer: Int? {
        guard case .number(let raw) = self else { return nil }
        let text = String(buffer: raw)
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    /// The value as JSON text: texts and numbers as they were written, members in the order of their names.
    var json: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }

    private func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: buffer.writeString("null")
        case .bool(let truth): buffer.writeString(truth ? "true" : "false")
        case .number(let raw): buffer.writeImmutableBuffer(raw)
        case .string(let raw):
            buffer.writeString("\"")
            buffer.writeImmutableBuffer(raw)
            buffer.writeString("\"")
        case .array(let elements):
            buffer.writeString("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { buffer.writeString(",") }
                element.write(to: &buffer)
            }
            buffer.writeString("]")
        case .object(let members):
            buffer.writeString("{")
            for (index, (name, value)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { buffer.writeString(",") }
                var key: [UInt8] = []
                appendJSONString(name, to: &key)
                buffer.writeBytes(key)
                buffer.writeString(":")
                value.write(to: &buffer)
            }
            buffer.writeString("}")
        }
    }
}

/// Builds values from bytes that are known to be JSON of limited depth.
private struct JSONBuilder {
    private var rest: ByteBuffer

    init(_ buffer: ByteBuffer) { rest = buffer }

    mutating func value() -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"): return .object(members())
        case UInt8(ascii: "["): return .array(elements())
        case UInt8(ascii: "\""): return .string(string())
        case UInt8(ascii: "t"): return skip(4, .bool(true))
        case UInt8(ascii: "f"): return skip(5, .bool(false))
        case UInt8(ascii: "n"): return skip(4, .null)
        default:
            let length = rest.readableBytesView.prefix { "+-.0123456789eE".utf8.contains($0) }.count
            return .number(rest.readSlice(length: length) ?? ByteBuffer())
        }
    }

    private mutating func members() -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        next()
        while peek() != UInt8(ascii: "}") {
            let name = JSONEscape.resolved(string())
            _ = peek()
            next()
            members[name] = value()
            if peek() == UInt8(ascii: ",") { next() }
        }
        next()
        return members
    }

    private mutating func elements() -> [JSONValue] {
        var elements: [JSONValue] = []
        next()
        while peek() != UInt8(ascii: "]") {
            elements.append(value())
            if peek() == UInt8(ascii: ",") { next() }
        }
        next()
        return elements
    }

    private mutating func string() -> ByteBuffer {
        _ = peek()
        next()
        let length = rest.withUnsafeReadableBytes { bytes in
            var end = 0
            while bytes[end] != UInt8(ascii: "\"") { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
            return end
        }
        let raw = rest.readSlice(length: length)
        next()
        return raw ?? ByteBuffer()
    }

    private mutating func skip(_ count: Int, _ value: JSONValue) -> JSONValue {
        rest.moveReaderIndex(forwardBy: count)
        return value
    }

    private mutating func next() { rest.moveReaderIndex(forwardBy: 1) }

    /// The next byte that is no blank.
    private mutating func peek() -> UInt8 {
        while let byte = rest.getInteger(at: rest.readerIndex, as: UInt8.self) {
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: next()
            default: return byte
            }
        }
        return 0
    }
}
