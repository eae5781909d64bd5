internal import NIOCore

/// The content type that a function gives its streamed result. It becomes a header of the answer, so nothing else may hide in it.
enum ContentType {
    /// - Returns: `nil` when there is none, or it cannot be the value of a header.
    static func checked(_ bytes: ByteBuffer) -> String? { checked(String(buffer: bytes)) }

    /// - Returns: `nil` when there is none, or it cannot be the value of a header.
    static func checked(_ text: String?) -> String? {
        guard let text, (1...RuntimeLimits.contentTypeMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: " ")...UInt8(ascii: "~")).contains($0) })
        else { return nil }
        return text
    }
}
