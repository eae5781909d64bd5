import EngineCore
import NIOCore
import Synchronization
import Testing

/// A result between its maker and its reader.
@Suite(.timeLimit(.minutes(1))) struct ResultStreamTests {
    static let half = ByteBuffer(repeating: 7, count: ResultStream.heldBytesMax / 2)

    /// How often a maker was told to go on.
    final class Resumed: Sendable {
        private let number = Atomic(0)
        var count: Int { number.load(ordering: .relaxed) }
        func add() { number.add(1, ordering: .relaxed) }
    }

    static let failure: Result<InvocationResult, InvocationError> = .failure(InvocationError(.regionFailed, "It is gone."))

    /// What a part is, in a word.
    static func word(_ part: ResultStream.Part?) -> String {
        switch part {
        case .head(let head)?: "head \(head.contentType ?? "-") \(head.site ?? "-")"
        case .bytes(let bytes)?: "bytes \(bytes.readableBytes)"
        case .end(.success)?: "result"
        case .end(.failure(let error))?: "error \(error.code.rawValue)"
        case nil: "nothing"
        }
    }

    @Test func `PLACE-21 head, bytes and end come in order, and then nothing`() async {
        let stream = ResultStream()
        stream.describe { $0.site = "region-1" }
        #expect(!stream.hasBegun)
        stream.begin(contentType: "text/csv")
        #expect(stream.hasBegun)
        #expect(stream.write(ByteBuffer(string: "a"), resume: {}) == .goOn)
        #expect(stream.write(ByteBuffer(), resume: {}) == .goOn)
        stream.end(Self.failure)
        var words: [String] = []
        for _ in 0..<4 { words.append(Self.word(await stream.next())) }
        #expect(words == ["head text/csv region-1", "bytes 1", "error region_failed", "nothing"])
        #expect(stream.writtenByteCount == 1)
    }

    @Test func `PLACE-21 a maker is stopped at the limit and goes on when half has been read`() async {
        let (stream, resumed) = (ResultStream(), Resumed())
        stream.begin(contentType: nil)
        #expect(stream.write(Self.half, resume: { resumed.add() }) == .goOn)
        #expect(stream.write(Self.half, resume: { resumed.add() }) == .stop)
        #expect(Self.word(await stream.next()).hasPrefix("head"))
        #expect(resumed.count == 0)
        _ = await stream.next()
        #expect(resumed.count == 1)
        _ = await stream.next()
        #expect(resumed.count == 1)
    }

    @Test func `PLACE-21 a reader that waits gets each part as it is made`() async {
        let stream = ResultStream()
        async let first = stream.next()
        stream.begin(contentType: nil)
        #expect(Self.word(await first).hasPrefix("head"))
        async let second = stream.next()
        _ = stream.write(ByteBuffer(string: "ab"), resume: {})
        #expect(Self.word(await second) == "bytes 2")
        async let third = stream.next()
        stream.end(Self.failure)
        #expect(Self.word(await third) == "error region_failed")
    }

    @Test func `PLACE-21 what is longer than permitted is not taken`() async {
        let stream = ResultStream(bytesMax: 3)
        stream.begin(contentType: nil)
        #expect(stream.write(ByteBuffer(string: "abc"), resume: {}) == .goOn)
        #expect(stream.write(ByteBuffer(string: "d"), resume: {}) == .tooLong)
        #expect(stream.writtenByteCount == 3)
    }

    @Test func `PLACE-21 a reader that has gone lets its maker go on, into nothing`() async {
        let (stream, resumed) = (ResultStream(), Resumed())
        stream.begin(contentType: nil)
        _ = stream.write(Self.half, resume: { resumed.add() })
        #expect(stream.write(Self.half, resume: { resumed.add() }) == .stop)
        stream.abandon()
        #expect(resumed.count == 1)
        #expect(stream.write(Self.half, resume: { resumed.add() }) == .unread)
        #expect(Self.word(await stream.next()) == "nothing")
    }

    @Test func `PLACE-21 a reader whose task is cancelled has gone`() async {
        let stream = ResultStream()
        await withTaskGroup(of: String.self) { group in
            group.addTask { Self.word(await stream.next()) }
            group.cancelAll()
            #expect(await group.next() == "nothing")
        }
        #expect(stream.write(Self.half, resume: {}) == .unread)
    }

    @Test func `PLACE-21 a maker that is a task waits for its reader`() async {
        let stream = ResultStream()
        stream.begin(contentType: nil)
        async let written = [stream.write(Self.half), stream.write(Self.half), stream.write(Self.half)]
        var byteCount = 0
        while byteCount < 3 * Self.half.readableBytes, let part = await stream.next() {
            if case .bytes(let bytes) = part { byteCount += bytes.readableBytes }
        }
        #expect(await written == [.goOn, .goOn, .goOn])
    }
}
