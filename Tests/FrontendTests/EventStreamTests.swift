import NIOCore
import Testing

@testable import Frontend

/// Messages of `application/vnd.amazon.eventstream`; the clients of AWS read them in the conformance tests.
@Suite struct EventStreamTests {
    @Test func `a message has its lengths, headers, payload and checksums`() {
        var message = EventStreamMessage.payloadChunk(ByteBuffer(string: "abc"))
        #expect(message.getInteger(at: 0, as: UInt32.self) == UInt32(message.readableBytes))
        // Made with Python's zlib.crc32.
        #expect(message.getInteger(at: 8, as: UInt32.self) == 0x8F3E_D47F)
        #expect(message.getInteger(at: message.readableBytes - 4, as: UInt32.self) == 0xA3E1_2624)
        let text = String(buffer: message.readSlice(length: message.readableBytes) ?? ByteBuffer())
        #expect(text.contains(":event-type\u{7}\u{0}\u{c}PayloadChunk"))
    }
}
