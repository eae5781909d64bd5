import Crypto
import EngineCore
import HTTPTypes

/// The canonical request of AWS Signature Version 4, built in one array of bytes: it is made for every call.
///
/// Source: AWS Signature Version 4, "Create a canonical request". For every service but S3 the path as it came on the wire is
/// normalised and percent-encoded once more; names and values of the query are decoded and encoded in the one canonical way.
enum CanonicalRequest {
    /// - Parameter signedHeaders: lower-case names between semicolons.
    /// - Returns: `nil` if a signed header is absent.
    static func bytes(_ request: HTTPRequest, _ signedHeaders: Substring, _ body: SHA256Digest) -> [UInt8]? {
        var text: [UInt8] = []
        text.reserveCapacity(512)
        text.append(contentsOf: request.method.rawValue.utf8)
        text.append(newline)
        let target = (request.path ?? "/").utf8
        let question = target.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
        appendPath(target[..<question], to: &text)
        text.append(newline)
        if question != target.endIndex { appendQuery(target[question...].dropFirst(), to: &text) }
        text.append(newline)
        var names = signedHeaders.utf8
        while !names.isEmpty {
            let end = names.firstIndex(of: UInt8(ascii: ";")) ?? names.endIndex
            guard appendHeader(signedHeaders[names.startIndex..<end], of: request, to: &text) else { return nil }
            names = names[end...].dropFirst()
        }
        text.append(newline)
        text.append(contentsOf: signedHeaders.utf8)
        text.append(newline)
        appendHexadecimal(body, to: &text)
        return text
    }

    private static let newline = UInt8(ascii: "\n")
    private static let slash = UInt8(ascii: "/")

    /// Normalises (RFC 3986, section 6.2.2.3, and runs of slashes) and encodes.
    private static func appendPath(_ path: Substring.UTF8View, to text: inout [UInt8]) {
        let start = text.count
        for part in path.split(separator: slash) {
            if part.elementsEqual(".".utf8) { continue }
            if part.elementsEqual("..".utf8) {
                // Back over the last part, its slash included; an encoded part holds none.
                if let last = text[start...].lastIndex(of: slash) { text.removeSubrange(last...) }
                continue
            }
            text.append(slash)
            appendEncoded(part, to: &text)
        }
        if text.count == start || path.last == slash { text.append(slash) }
    }

    /// `name=value` pairs, sorted by name and then by value.
    private static func appendQuery(_ query: Substring.UTF8View, to text: inout [UInt8]) {
        var pairs: [(name: [UInt8], value: [UInt8])] = query.split(separator: UInt8(ascii: "&")).map { pair in
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            return (recoded(pair[..<equals]), recoded(pair[equals...].dropFirst()))
        }
        pairs.sort { left, right in
            left.name == right.name
                ? left.value.lexicographicallyPrecedes(right.value) : left.name.lexicographicallyPrecedes(right.name)
        }
        for (index, pair) in pairs.enumerated() {
            if index > 0 { text.append(UInt8(ascii: "&")) }
            text.append(contentsOf: pair.name)
            text.append(UInt8(ascii: "="))
            text.append(contentsOf: pair.value)
        }
    }

    /// - Returns: `false` if the request has no header of this name.
    private static func appendHeader(_ name: Substring, of request: HTTPRequest, to text: inout [UInt8]) -> Bool {
        text.append(contentsOf: name.utf8)
        text.append(UInt8(ascii: ":"))
        var isFirst = true
        if name == "host" {
            if let authority = request.authority {
                appendTrimmed(authority, to: &text)
                isFirst = false
            }
        } else {
            for field in request.headerFields where field.name.canonicalName == name {
                if !isFirst { text.append(UInt8(ascii: ",")) }
                appendTrimmed(field.value, to: &text)
                isFirst = false
            }
        }
        text.append(newline)
        return !isFirst
    }

    /// Without blanks around it, and one blank for every run of them within.
    private static func appendTrimmed(_ value: String, to text: inout [UInt8]) {
        let blank = UInt8(ascii: " ")
        let start = text.count
        var pending = false
        for byte in value.utf8 {
            if byte == blank {
                pending = text.count > start
            } else {
                if pending { text.append(blank) }
                pending = false
                text.append(byte)
            }
        }
    }

    private static func appendEncoded(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
        for byte in bytes {
            if isNameByte(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~") {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(upperDigit(byte >> 4))
                text.append(upperDigit(byte & 15))
            }
        }
    }

    private static func recoded(_ part: Substring.UTF8View) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(part.count)
        appendEncoded(PercentEncoding.decode(part), to: &text)
        return text
    }

    private static func upperDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }
}
