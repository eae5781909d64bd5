import EngineCore
import NIOCore
import Testing

@testable import Sandboxing

/// The frame protocol against bytes of every kind.
@Suite struct FrameDecoderTests {
    static func bytes(
        length: UInt32, kind: UInt8, version: UInt8 = 1, flags: UInt16 = 0, sequence: UInt32, payload: [UInt8]
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(length, endianness: .little)
        buffer.writeInteger(kind)
        buffer.writeInteger(version)
        buffer.writeInteger(flags, endianness: .little)
        buffer.writeInteger(sequence, endianness: .little)
        buffer.writeBytes(payload)
        return buffer
    }

    /// All frames in `parts`, which arrive one after the other.
    static func decode(_ parts: [ByteBuffer]) throws(FrameViolation) -> [Frame] {
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        for var part in parts {
            decoder.append(&part)
            while let frame = try decoder.next() { frames.append(frame) }
        }
        return frames
    }

    static let frames = [
        Frame(kind: .booted, sequence: 0, payload: ByteBuffer()), Frame(kind: .ready, sequence: 0, payload: ByteBuffer()),
        Frame(kind: .result, sequence: 1, payload: ByteBuffer(string: "{\"answer\":42}")),
        Frame(kind: .error, sequence: .max, payload: ByteBuffer(string: "{}")),
        Frame(kind: .error, sequence: 3, payload: ByteBuffer(string: "{}"), isLast: true),
        Frame(kind: .stream, sequence: 4, payload: ByteBuffer(string: "text/csv"), isHead: true),
        Frame(kind: .stream, sequence: 4, payload: ByteBuffer(string: "a,b")),
        Frame(kind: .result, sequence: 2, payload: ByteBuffer(repeating: 7, count: 1000)),
    ]

    static var stream: ByteBuffer {
        var stream = ByteBuffer()
        for frame in frames {
            Frame.writeHeader(frame.kind, sequence: frame.sequence, length: frame.payload.readableBytes, into: &stream)
            let flags: UInt16 = frame.isLast ? 1 : frame.isHead ? 2 : 0
            stream.setInteger(flags, at: stream.writerIndex - 6, endianness: .little)
            stream.writeImmutableBuffer(frame.payload)
        }
        return stream
    }

    @Test func `the header is the one of the C header file`() {
        var header = ByteBuffer()
        Frame.writeHeader(.invoke, sequence: 0x0403_0201, length: 0x0807, into: &header)
        #expect(Array(header.readableBytesView) == [7, 8, 0, 0, 4, 1, 0, 0, 1, 2, 3, 4])
    }

    @Test func `frames come out the same wherever the stream is split`() throws {
        let stream = Self.stream
        for split in 0...stream.readableBytes {
            let parts = [
                try #require(stream.getSlice(at: 0, length: split)),
                try #require(stream.getSlice(at: split, length: stream.readableBytes - split)),
            ]
            #expect(try Self.decode(parts) == Self.frames, "split at \(split)")
        }
    }

    @Test func `frames come out the same byte by byte`() throws {
        let parts = Self.stream.readableBytesView.map { ByteBuffer(bytes: [$0]) }
        #expect(try Self.decode(parts) == Self.frames)
    }

    @Test func `frames that never end where a read does do not add up`() throws {
        var decoder = FrameDecoder()
        let frame = Self.bytes(length: 4096, kind: 7, sequence: 1, payload: [UInt8](repeating: 7, count: 4096))
        var first = ByteBuffer(bytes: frame.readableBytesView.prefix(2048))
        decoder.append(&first)
        for _ in 0..<1000 {
            var shifted = ByteBuffer(bytes: Array(frame.readableBytesView.dropFirst(2048)) + Array(frame.readableBytesView.prefix(2048)))
            decoder.append(&shifted)
            #expect(decoder.heldCapacity <= 16384)
            let whole = try decoder.next()
            #expect(whole?.payload.readableBytes == 4096)
            #expect(try decoder.next() == nil)
        }
    }

    static let violations: [(ByteBuffer, FrameViolation)] = [
        (bytes(length: 0, kind: 1, version: 2, sequence: 0, payload: []), .version(2)),
        (bytes(length: 0, kind: 0, sequence: 0, payload: []), .kind(0)),
        (bytes(length: 0, kind: 8, sequence: 0, payload: []), .kind(8)),
        (bytes(length: 0, kind: 7, flags: 1, sequence: 1, payload: []), .flags(1)),
        (bytes(length: 65_537, kind: 7, sequence: 1, payload: []), .length(65_537)),
        (bytes(length: 0, kind: 1, flags: 1, sequence: 0, payload: []), .flags(1)),
        (bytes(length: 0, kind: 5, flags: 1, sequence: 1, payload: []), .flags(1)),
        (bytes(length: 0, kind: 6, flags: 2, sequence: 1, payload: []), .flags(2)),
        (bytes(length: 0, kind: 6, flags: 3, sequence: 1, payload: []), .flags(3)),
        (bytes(length: 8 << 20 + 1, kind: 5, sequence: 1, payload: []), .length(8 << 20 + 1)),
        (bytes(length: .max, kind: 5, sequence: 1, payload: []), .length(.max)),
    ]

    @Test(arguments: violations)
    func `a header that breaks a rule is refused before its payload is waited for`(bytes: ByteBuffer, violation: FrameViolation) {
        #expect(throws: violation) { try Self.decode([bytes]) }
    }

    @Test func `the longest frame passes`() throws {
        let payload = [UInt8](repeating: 1, count: 8 << 20)
        let frames = try Self.decode([Self.bytes(length: 8 << 20, kind: 5, sequence: 1, payload: payload)])
        #expect(frames.count == 1 && frames[0].payload.readableBytes == 8 << 20)
    }

    @Test func `any bytes end in frames, a violation or a wait, however they are split`() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var generator = SplitMix(state: seed)
        for _ in 0..<2000 {
            var stream = Self.stream
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let index = Int.random(in: 0..<stream.readableBytes, using: &generator)
                stream.setInteger(UInt8.random(in: 0 ... 255, using: &generator), at: index)
            }
            let split = Int.random(in: 0...stream.readableBytes, using: &generator)
            let whole = Result { () throws(FrameViolation) in try Self.decode([stream]) }
            let parts = [stream.getSlice(at: 0, length: split), stream.getSlice(at: split, length: stream.readableBytes - split)]
            let halves = Result { () throws(FrameViolation) in try Self.decode(parts.compactMap { $0 }) }
            #expect(whole == halves, "seed \(seed)")
        }
    }
}
