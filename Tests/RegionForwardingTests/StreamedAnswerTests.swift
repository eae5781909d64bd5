import EngineCore
import NIOCore
import Testing

@testable import RegionForwarding

/// A streamed answer, section by section.
@Suite struct StreamedAnswerTests {
    static var head: ResultStream.Head {
        var head = ResultStream.Head()
        (head.site, head.startLevel, head.contentType) = ("region-1", .warm, "text/csv")
        return head
    }

    static func body(_ parts: [ResultStream.Part]) throws -> ByteBuffer {
        var body = ByteBuffer()
        var hasBegun = false
        for part in parts {
            for section in try StreamedAnswer.sections(of: part, hasBegun: hasBegun) { body.writeImmutableBuffer(section) }
            if case .head = part { hasBegun = true }
        }
        return body
    }

    /// What a reader says of `body`, which comes in pieces of `size` bytes: bytes that follow bytes are joined.
    static func read(_ body: ByteBuffer, inPiecesOf size: Int) throws(ForwardingError) -> [String] {
        var (reader, rest, words, bytes) = (StreamedAnswer.Reader(), body, [String](), "")
        while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
            reader.append(piece)
            while let event = try reader.next() {
                if case .bytes(let more) = event {
                    bytes += String(buffer: more)
                    continue
                }
                if !bytes.isEmpty { words.append(bytes) }
                bytes = ""
                switch event {
                case .head(let head): words.append("head \(head.site ?? "-") \(head.contentType ?? "-")")
                case .whole(let answer): words.append("\(answer.result.outcome) log \(String(buffer: answer.result.log.text))")
                case .failed(let failure): words.append("failed \(failure.code)")
                case .bytes: break
                }
            }
        }
        return words + (bytes.isEmpty ? [] : [bytes])
    }

    @Test(arguments: [1, 2, 7, 64, 100_000])
    func `PLACE-21 a streamed answer is read wherever it is split`(size: Int) throws {
        let result = try Sample.result(payload: ByteBuffer(), log: "LOG")
        let parts: [ResultStream.Part] = [.head(Self.head), .bytes(ByteBuffer(string: "ab")), .bytes(ByteBuffer(string: "c"))]
        let body = try Self.body(parts + [.end(.success(result))])
        let words = try Self.read(body, inPiecesOf: size)
        #expect(words.count == 3)
        #expect(words.prefix(2) == ["head region-1 text/csv", "abc"])
        #expect(words.last?.hasPrefix("success") == true && words.last?.hasSuffix("log LOG") == true)
    }

    @Test func `PLACE-21 a function error behind what was streamed is not part of it`() throws {
        let result = try Sample.result(payload: ByteBuffer(string: #"{"errorType":"E"}"#), isError: true)
        var reader = StreamedAnswer.Reader()
        reader.append(try Self.body([.head(Self.head), .bytes(ByteBuffer(string: "ab")), .end(.success(result))]))
        var last: StreamedAnswer.Event?
        while let event = try reader.next() { last = event }
        guard case .whole(let answer)? = last, case .functionError(let error) = answer.result.outcome else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(error == ByteBuffer(string: #"{"errorType":"E"}"#))
    }

    @Test func `PLACE-16 a failure is told before and after the first bytes`() throws {
        let failure = ResultStream.Part.end(.failure(InvocationError(.launcherLost, "It is gone.")))
        #expect(try Self.read(Self.body([failure]), inPiecesOf: 3) == ["failed launcher_lost"])
        let words = try Self.read(Self.body([.head(Self.head), .bytes(ByteBuffer(string: "ab")), failure]), inPiecesOf: 3)
        #expect(words == ["head region-1 text/csv", "ab", "failed launcher_lost"])
    }

    @Test func `PLACE-21 an answer that is not streamed is whole`() throws {
        let result = try Sample.result(payload: ByteBuffer(string: "[1]"))
        var reader = StreamedAnswer.Reader()
        let body = try Self.body([.end(.success(result))]).readableBytesView
        for byte in body.dropLast() {
            reader.append(ByteBuffer(bytes: [byte]))
            #expect(try reader.next() == nil)
        }
        reader.append(ByteBuffer(bytes: body.suffix(1)))
        guard case .whole(let answer)? = try reader.next() else { throw CancellationError() }
        #expect(answer.result.outcome.payload == ByteBuffer(string: "[1]"))
    }

    @Test(arguments: [
        [9, 0, 0, 0, 0], [2, 0, 4, 0, 1], [4, 0, 0, 0, 2, 0x7b, 0x7d, 4, 0, 0, 0, 2, 0x7b, 0x7d], [4, 0, 0, 0, 1, 0x7b],
        [1, 0, 0, 0, 1, 0x31, 4, 0, 0, 0, 2, 0x7b, 0x7d], [3, 0, 0, 0, 2, 0x7b, 0x7d], [6, 0, 0, 0, 2, 0x7b, 0x7d],
        [1, 0xff, 0, 0, 0],
    ] as [[UInt8]])
    func `an answer that breaks a rule is refused`(bytes: [UInt8]) {
        #expect { try Self.read(ByteBuffer(bytes: bytes), inPiecesOf: 100) } throws: { ($0 as? ForwardingError)?.code == .invalidAnswer }
    }

    @Test func `a reader keeps nothing of what it has handed on`() throws {
        var reader = StreamedAnswer.Reader()
        reader.append(try Self.body([.head(Self.head)]))
        _ = try reader.next()
        // Each piece ends in the middle of a section's head, where nothing can be handed on.
        var section = ByteBuffer(bytes: [1, 0, 0, 4, 0])
        section.writeRepeatingByte(7, count: 1024)
        reader.append(ByteBuffer(bytes: [1, 0]))
        section.moveReaderIndex(forwardBy: 2)
        section.writeBytes([1, 0])
        for _ in 0..<1000 {
            reader.append(section)
            #expect(reader.heldCapacity <= 4096)
            guard case .bytes(let bytes)? = try reader.next() else { throw CancellationError() }
            #expect(bytes.readableBytes == 1024)
            #expect(try reader.next() == nil)
        }
    }
}
