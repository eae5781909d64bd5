import CZlib
import NIOCore

/// One message of `application/vnd.amazon.eventstream`, the form in which SDKs read a streamed result. Big-endian:
///
///     0               4                8            12
///     +---------------+----------------+------------+-----------+-----------+---------------+
///     | total length  | headers length | CRC of 0–7 | headers … | payload … | CRC of all    |
///     +---------------+----------------+------------+-----------+-----------+---------------+
///
///     header = name length (1) · name · type (1; 7 is text) · value length (2) · value
///
/// Source: Smithy, "Amazon Event Stream Specification"; the checksum is CRC-32 as in zlib.
enum EventStreamMessage {
    static let framingByteCount = 16
    /// The only type of header there is here.
    static let textType: UInt8 = 7

    /// `PayloadChunk`: the next bytes of the result.
    static func payloadChunk(_ bytes: ByteBuffer) -> ByteBuffer { message(payloadChunkHeaders, bytes) }

    /// `InvokeComplete`: the end. `payload` is a JSON object.
    static func invokeComplete(_ payload: ByteBuffer) -> ByteBuffer { message(invokeCompleteHeaders, payload) }

    private static let payloadChunkHeaders = headers(event: "PayloadChunk", contentType: "application/octet-stream")
    private static let invokeCompleteHeaders = headers(event: "InvokeComplete", contentType: "application/json")

    private static func headers(event: String, contentType: String) -> ByteBuffer {
        var buffer = ByteBuffer()
        for (name, value) in [(":message-type", "event"), (":event-type", event), (":content-type", contentType)] {
            buffer.writeInteger(UInt8(name.utf8.count))
            buffer.writeString(name)
            buffer.writeInteger(textType)
            buffer.writeInteger(UInt16(value.utf8.count))
            buffer.writeString(value)
        }
        return buffer
    }

    private static func message(_ headers: ByteBuffer, _ payload: ByteBuffer) -> ByteBuffer {
        let total = framingByteCount + headers.readableBytes + payload.readableBytes
        var message = ByteBuffer()
        message.reserveCapacity(total)
        message.writeInteger(UInt32(total))
        message.writeInteger(UInt32(headers.readableBytes))
        message.writeInteger(checksum(message))
        message.writeImmutableBuffer(headers)
        message.writeImmutableBuffer(payload)
        message.writeInteger(checksum(message))
        return message
    }

    static func checksum(_ buffer: ByteBuffer) -> UInt32 {
        buffer.withUnsafeReadableBytes { bytes in
            // A result of crc32 has 32 bits, whatever the type it comes in.
            UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
        }
    }
}
