import EngineCore
import NIOCore
import RegionForwarding
import Testing

@Suite struct ForwardedAnswerTests {
    static func body(_ result: InvocationResult) throws -> ByteBuffer {
        var body = ByteBuffer()
        for section in try ForwardedAnswer(result).sections() { body.writeImmutableBuffer(section) }
        return body
    }

    @Test(arguments: [false, true])
    func `an answer returns outcome, payload, log and record`(isError: Bool) throws {
        let payload = ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let sent = try Sample.result(payload: payload, log: "START\nline\nEND\n", dropped: 3, isError: isError)
        let received = try ForwardedAnswer(body: Self.body(sent))
        switch received.result.outcome {
        case .success(let bytes): #expect(!isError && bytes == payload)
        case .functionError(let bytes): #expect(isError && bytes == payload)
        }
        #expect(received.result.log.text == sent.log.text)
        #expect(received.result.log.droppedByteCount == 3)
        #expect(received.result.record.requestID == sent.record.requestID)
        #expect(received.remote.node == "region-1")
        #expect(received.remote.reason == .region)
        #expect(received.remote.startLevel == .container)
        #expect(received.remote.spans == sent.record.spans)
    }

    @Test func `of a log over the limit the end is sent and the rest is counted`() throws {
        let log = String(repeating: "x", count: 1000) + String(repeating: "y", count: ForwardWire.logBytesMax)
        let received = try ForwardedAnswer(body: Self.body(Sample.result(payload: ByteBuffer(string: "1"), log: log, dropped: 5)))
        #expect(received.result.log.text.readableBytes == ForwardWire.logBytesMax)
        #expect(received.result.log.text.readableBytesView.allSatisfy { $0 == UInt8(ascii: "y") })
        #expect(received.result.log.droppedByteCount == 1005)
    }

    @Test func `the largest payload passes and one byte more does not`() throws {
        let largest = ByteBuffer(repeating: 7, count: ForwardWire.payloadBytesMax)
        let body = try Self.body(Sample.result(payload: largest))
        #expect(body.readableBytes <= ForwardWire.answerBytesMax)
        #expect(try ForwardedAnswer(body: body).result.outcome.payload == largest)
        let more = ByteBuffer(repeating: 7, count: ForwardWire.payloadBytesMax + 1)
        #expect { try Self.body(Sample.result(payload: more)) } throws: { ($0 as? ForwardingError)?.code == .invalidAnswer }
    }

    @Test func `a payload in several sections is one`() throws {
        let whole = try Self.body(Sample.result(payload: ByteBuffer(string: "CD"), log: ""))
        var body = ByteBuffer(bytes: [1, 0, 0, 0, 2, 0x41, 0x42])
        body.writeImmutableBuffer(whole)
        #expect(try ForwardedAnswer(body: body).result.outcome.payload == ByteBuffer(string: "ABCD"))
    }

    @Test func `an answer cut off anywhere is refused`() throws {
        let body = try Self.body(Sample.result(payload: ByteBuffer(string: "{\"a\":1}")))
        for count in 0..<body.readableBytes {
            let part = try #require(body.getSlice(at: 0, length: count))
            #expect(throws: ForwardingError.self, "at \(count)") { try ForwardedAnswer(body: part) }
        }
        #expect(throws: Never.self) { try ForwardedAnswer(body: body) }
    }

    @Test(
        arguments: [
            [9, 0, 0, 0, 0],
            [1, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            [3, 0, 0, 0, 2, 0x7B, 0x7D],
        ] as [[UInt8]])
    func `a section of an unknown kind, impossible length or content is refused`(bytes: [UInt8]) {
        #expect { try ForwardedAnswer(body: ByteBuffer(bytes: bytes)) } throws: { ($0 as? ForwardingError)?.code == .invalidAnswer }
    }

    @Test func `what follows the end is refused`() throws {
        var body = try Self.body(Sample.result(payload: ByteBuffer(string: "1")))
        body.writeInteger(UInt8(1))
        #expect { try ForwardedAnswer(body: body) } throws: { ($0 as? ForwardingError)?.code == .invalidAnswer }
    }

    @Test(arguments: InvocationError.Code.allCases)
    func `an engine error keeps code and message on the way, but a region's giving up is not the client's`(
        code: InvocationError.Code
    ) throws {
        let sent = ForwardedFailure(InvocationError(code, "why \"so\""))
        #expect((400..<600).contains(sent.status))
        let received = try #require(ForwardedFailure(status: sent.status, body: sent.body)).invocationError(region: "region-1")
        #expect(received.code == (code == .aborted ? .regionFailed : code))
        #expect(received.message.contains("why \"so\""))
    }

    @Test(arguments: [
        (ForwardingError.Code.invalidRequest, true), (.unsupportedProtocol, true), (.forbidden, true), (.notFound, true),
        (.bodyTooLarge, true), (.invalidAnswer, false),
    ])
    func `a refused message surely ran nothing, a spoilt answer may have`(code: ForwardingError.Code, surelyNotStarted: Bool) throws
    {
        let sent = ForwardedFailure(ForwardingError(code, "no"))
        let received = try #require(ForwardedFailure(status: sent.status, body: sent.body)).invocationError(region: "region-1")
        #expect(received.surelyNotStarted == surelyNotStarted)
    }

    @Test func `what is no node's error is not taken for one`() throws {
        #expect(ForwardedFailure(status: 502, body: ByteBuffer(string: "<html>Bad Gateway</html>")) == nil)
        let unknown = try #require(ForwardedFailure(status: 500, body: ByteBuffer(string: "{\"code\":\"new\",\"message\":\"?\"}")))
        #expect(unknown.invocationError(region: "region-1").code == .regionFailed)
    }
}
