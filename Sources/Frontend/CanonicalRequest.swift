import Crypto
import HTTPTypes

/// The canonical request of AWS Signature Version 4.
enum CanonicalRequest {
    /// - Returns: `nil` if a signed header is absent.
    static func bytes(_ request: HTTPRequest, _ signed: [Substring], _ body: SHA256Digest) -> [UInt8]? {
        let target = (request.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var text = request.method.rawValue + "\n" + encode(normalize(target[0])) + "\n"
        if target.count == 2 { text += query(target[1]) }
        text += "\n"
        for name in signed {
            var values: [String] = []
            if name == "host" {
                if let authority = request.authority { values.append(authority) }
            } else {
                for field in request.headerFields where field.name.canonicalName == name {
                    values.append(field.value.split(separator: " ").joined(separator: " "))
                }
            }
            guard !values.isEmpty else { return nil }
            text += name + ":" + values.joined(separator: ",") + "\n"
        }
        text += "\n" + signed.joined(separator: ";") + "\n" + hexadecimal(body)
        return Array(text.utf8)
    }

    private static func normalize(_ path: Substring) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/") + (path.hasSuffix("/") && !parts.isEmpty ? "/" : "")
    }

    private static func encode(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            if isNameByte(byte) || byte == 0x2E || byte == 0x7E || byte == 0x2F {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    private static func query(_ query: Substring) -> String {
        query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count == 2 ? String(parts[1]) : "")
        }.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
