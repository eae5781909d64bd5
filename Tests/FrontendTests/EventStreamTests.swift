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

    @Test func `messages are read whole, however their bytes come in pieces`() throws {
        var stream = EventStreamMessage.payloadChunk(ByteBuffer(string: "abc"))
        stream.writeImmutableBuffer(EventStreamMessage.payloadChunk(ByteBuffer()))
        stream.writeImmutableBuffer(EventStreamMessage.invokeComplete(ByteBuffer(string: "{}")))
        var decoder = EventStreamDecoder()
        var read: [String] = []
        for byte in stream.readableBytesView {
            decoder.append(ByteBuffer(bytes: [byte]))
            while let message = try decoder.next() { read.append("\(message.type) \(message.event) \(String(buffer: message.payload))") }
        }
        #expect(read == ["event PayloadChunk abc", "event PayloadChunk ", "event InvokeComplete {}"])
        #expect(decoder.isEmpty)
    }

    @Test(arguments: [3, 7, 9, 20, 60, 80])
    func `bytes that were changed on the way, or claim too much, are refused`(place: Int) throws {
        var stream = EventStreamMessage.payloadChunk(ByteBuffer(string: "abc"))
        let byte = try #require(stream.getInteger(at: place, as: UInt8.self))
        stream.setInteger(byte ^ 0x40, at: place)
        var decoder = EventStreamDecoder()
        decoder.append(stream)
        #expect(throws: EventStreamDecoder.Malformed.self) { try decoder.next() }
        // A length of 2 GiB with its right checksum is not waited for.
        var large = ByteBuffer(integer: UInt32(1 << 31))
        large.writeInteger(UInt32(0))
        large.writeInteger(EventStreamMessage.checksum(large))
        decoder = EventStreamDecoder()
        decoder.append(large)
        #expect(throws: EventStreamDecoder.Malformed.self) { try decoder.next() }
    }
}
