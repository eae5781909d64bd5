import NIOCore

/// The kinds of sections of an answer's body (see ``ForwardWire``).
enum ForwardedSection: UInt8 {
    case payload = 1
    case log, end, head, error, failure
    case call

    static let headByteCount = 5

    /// Kind and length, which the content follows.
    static func head(_ kind: ForwardedSection, _ content: ByteBuffer) -> ByteBuffer {
        var head = ByteBuffer()
        head.reserveCapacity(headByteCount)
        head.writeInteger(kind.rawValue)
        head.writeInteger(UInt32(content.readableBytes))
        return head
    }
}
