import EngineCore
import NIOCore

/// A place in a JSON text: names of members and numbers of elements, joined by dots (`user.id`, `items.0.kind`).
///
/// It is looked for in one pass over the raw bytes, without building anything: events have up to 6 MiB, and all that is wanted is one
/// short text. Of members with equal names the last one counts, as for the function's own parser. A name that has a dot in it cannot
/// be named.
struct JSONPath: Sendable {
    private let parts: [String]

    init(_ text: String) { parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }

    init(parts: [String]) { self.parts = parts }

    /// The text of the value there: a string's own, a number or truth value as it was written.
    ///
    /// - Parameter json: exactly one JSON text, as `JSONScanner` has found.
    /// - Returns: `nil` if nothing is there, or `null`, an object, an array, an empty text, or more than `bytesMax` bytes.
    /// - Complexity: O(bytes).
    func text(in json: ByteBuffer, bytesMax: Int) -> String? {
        let range = json.withUnsafeReadableBytes { bytes in
            var finder = JSONPathFinder(bytes.assumingMemoryBound(to: UInt8.self), parts)
            return finder.value(at: 0)
        }
        guard let range, let raw = json.getSlice(at: json.readerIndex + range.lowerBound, length: range.count) else { return nil }
        let text: String
        switch raw.readableBytesView.first {
        case UInt8(ascii: "\""):
            // An escape has up to six bytes for one.
            guard raw.readableBytes <= 6 * bytesMax + 2, let inner = raw.getSlice(at: raw.readerIndex + 1, length: raw.readableBytes - 2)
            else { return nil }
            text = JSONEscape.resolved(inner)
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "n"), nil: return nil
        default: text = raw.readableBytes <= bytesMax ? String(buffer: raw) : ""
        }
        return (1...bytesMax).contains(text.utf8.count) ? text : nil
    }
}

/// Walks over bytes that are known to be JSON. On others it finds anything, but stays within them and ends.
private struct JSONPathFinder {
    // SAFETY: used only within the closure that lends the bytes; every access is behind a comparison with their count.
    private let bytes: UnsafeBufferPointer<UInt8>
    private let parts: [String]
    private var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ parts: [String]) {
        self.bytes = bytes
        self.parts = parts
    }

    /// Passes over the value that begins here.
    /// - Parameter depth: the parts of the path that lead to it; as deep as the path at most, whatever the text.
    /// - Returns: where in it the rest of the path leads.
    mutating func value(at depth: Int) -> Range<Int>? {
        skipBlanks()
        guard depth < parts.count else {
            let start = position
            skipValue()
            return start..<position
        }
        switch peek() {
        case UInt8(ascii: "{"): return members(at: depth)
        case UInt8(ascii: "["): return elements(at: depth)
        default:
            skipValue()
            return nil
        }
    }

    private mutating func members(at depth: Int) -> Range<Int>? {
        var found: Range<Int>?
        repeat {
            position += 1
            skipBlanks()
            guard peek() == UInt8(ascii: "\"") else { break }
            let start = position + 1
            skipString()
            let isNamed = isName(start..<max(start, position - 1), parts[depth])
            skipBlanks()
            position += 1
            if isNamed {
                found = value(at: depth + 1)
            } else {
                skipBlanks()
                skipValue()
            }
            skipBlanks()
        } while peek() == UInt8(ascii: ",")
        position += 1
        return found
    }

    private mutating func elements(at depth: Int) -> Range<Int>? {
        let wanted = Int(parts[depth]).flatMap { String($0) == parts[depth] ? $0 : nil }
        var found: Range<Int>?
        var index = 0
        position += 1
        skipBlanks()
        while let byte = peek(), byte != UInt8(ascii: "]") {
            if index == wanted { found = value(at: depth + 1) } else { skipValue() }
            index += 1
            skipBlanks()
            if peek() == UInt8(ascii: ",") { position += 1 }
            skipBlanks()
        }
        position += 1
        return found
    }

    private func isName(_ range: Range<Int>, _ name: String) -> Bool {
        guard range.upperBound <= bytes.count else { return false }
        let raw = UnsafeBufferPointer(rebasing: bytes[range])
        guard raw.contains(UInt8(ascii: "\\")) else { return raw.elementsEqual(name.utf8) }
        return raw.count <= 6 * name.utf8.count && JSONEscape.resolved(ByteBuffer(bytes: raw)).utf8.elementsEqual(name.utf8)
    }

    private mutating func skipValue() {
        var open = 0
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""): skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                position += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                position += 1
            default:
                if open == 0 { return skipScalar() }
                position += 1
            }
            if open <= 0 { return }
        }
    }

    private mutating func skipScalar() {
        // At least one byte, so that every step goes on.
        repeat { position += 1 } while peek().map { "+-.0123456789abcdefghijklmnopqrstuvwxyzE".utf8.contains($0) } ?? false
    }

    private mutating func skipString() {
        position += 1
        while let byte = peek(), byte != UInt8(ascii: "\"") { position += byte == UInt8(ascii: "\\") ? 2 : 1 }
        position = min(position + 1, bytes.count)
    }

    private mutating func skipBlanks() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }
}
