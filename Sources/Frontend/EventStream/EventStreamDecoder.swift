public import NIOCore

/// Reads messages of `application/vnd.amazon.eventstream` from bytes as they come; ``EventStreamMessage`` has the drawing.
public struct EventStreamDecoder: Sendable {
    /// Bytes of one message: five times the largest result that comes in one piece. A longer one is refused before it is kept.
    public static let messageBytesMax = 32 << 20

    public struct Message: Sendable, Equatable {
        /// `:message-type`: `event`, or `exception` where the service gives up.
        public let type: String
        /// `:event-type`, such as `PayloadChunk`; empty where the message has none.
        public let event: String
        public let payload: ByteBuffer
    }

    /// The bytes are no event stream; nothing that follows can be read.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    private var buffer = ByteBuffer()

    public init() {}

    /// Whether everything that came has been given out.
    public var isEmpty: Bool { buffer.readableBytes == 0 }

    public mutating func append(_ bytes: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return buffer = bytes }
        // Else what has been read would be kept for as long as messages and pieces do not end together.
        buffer.discardReadBytes()
        buffer.writeImmutableBuffer(bytes)
    }

    /// The next whole message; `nil`: it has not all come. O(its bytes).
    /// - Throws: when lengths, headers or checksums are wrong.
    public mutating func next() throws(Malformed) -> Message? {
        let start = buffer.readerIndex
        guard let total = buffer.getInteger(at: start, as: UInt32.self),
            let headersLength = buffer.getInteger(at: start + 4, as: UInt32.self),
            let preludeChecksum = buffer.getInteger(at: start + 8, as: UInt32.self)
        else { return nil }
        let length = Int(total)
        guard length <= Self.messageBytesMax, Int(headersLength) <= length - EventStreamMessage.framingByteCount else {
            throw Malformed(description: "A message claims \(total) bytes, \(headersLength) of them headers.")
        }
        guard let prelude = buffer.getSlice(at: start, length: 8), EventStreamMessage.checksum(prelude) == preludeChecksum else {
            throw Malformed(description: "The checksum of a message's lengths is wrong.")
        }
        guard var message = buffer.readSlice(length: length) else { return nil }
        guard let checked = message.getSlice(at: message.readerIndex, length: length - 4),
            message.getInteger(at: message.readerIndex + length - 4, as: UInt32.self) == EventStreamMessage.checksum(checked)
        else { throw Malformed(description: "The checksum of a message is wrong.") }
        message.moveReaderIndex(forwardBy: 12)
        guard let headers = message.readSlice(length: Int(headersLength)),
            let payload = message.readSlice(length: message.readableBytes - 4)
        else { return nil }
        let fields = try Self.fields(headers)
        return Message(type: fields[":message-type"] ?? "", event: fields[":event-type"] ?? "", payload: payload)
    }

    private static func fields(_ headers: ByteBuffer) throws(Malformed) -> [String: String] {
        var headers = headers
        var fields: [String: String] = [:]
        while headers.readableBytes > 0 {
            guard let nameLength = headers.readInteger(as: UInt8.self), let name = headers.readString(length: Int(nameLength)),
                headers.readInteger(as: UInt8.self) == EventStreamMessage.textType,
                let valueLength = headers.readInteger(as: UInt16.self), let value = headers.readString(length: Int(valueLength))
            else { throw Malformed(description: "A message's headers are cut off or are no text.") }
            fields[name] = value
        }
        return fields
    }
}
