import EngineCore
import HTTPTypes
import NIOCore
import RegionForwarding
import Testing

@Suite struct ForwardedInvocationTests {
    /// By the numbers they have on the wire.
    static let tags: [String: UInt8] = [
        "requestID": 1, "account": 2, "functionRegion": 3, "functionName": 4, "version": 5, "revision": 6, "invokedARN": 7,
        "remaining": 8, "hops": 9, "reason": 10, "traceID": 11, "clientContext": 12, "affinity": 13, "deferral": 14,
    ]

    static func document(_ changes: [String: ByteBuffer?] = [:]) throws -> RawDocument {
        let request = try Sample.request(clientContext: "{\"custom\":{\"ä\":1}}")
        var document = try RawDocument(
            opening: ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival).opening())
        for (name, value) in changes { document[try #require(tags[name])] = value }
        return document
    }

    static func read(_ document: RawDocument) throws -> ForwardedInvocation {
        var body = document.opening
        return try ForwardedInvocation(opening: &body, from: "pop-1")
    }

    @Test func `PLACE-19 a forwarded call carries id, account, pinned version, remaining time, hops, origin and reason`() throws {
        let request = try Sample.request(clientContext: "{\"custom\":{\"ä\":1}}", deadline: .milliseconds(2500))
        let sent = ForwardedInvocation(
            request, reason: .noCapacity, origin: "pop-1", now: request.arrival + .microseconds(1_000_500))
        var body = sent.opening()
        body.writeString("payload")
        let received = try ForwardedInvocation(opening: &body, from: "pop-1")
        #expect(String(buffer: body) == "payload")
        #expect(received == sent)
        #expect(received.remainingMilliseconds == 1499)
        #expect(received.hops == 1)
        #expect(received.reason == .noCapacity)

        let arrival = EngineInstant(nanoseconds: 5_000_000_000)
        let there = received.request(of: request.function, payload: request.payload, arrival: arrival)
        #expect(there.id == request.id)
        #expect(there.function === request.function)
        #expect(there.invokedARN == request.invokedARN)
        #expect(there.clientContext == request.clientContext)
        #expect(there.traceID == request.traceID)
        #expect(there.deadline - arrival == .milliseconds(1499))
        #expect(there.origin == .peer(node: "pop-1", hops: 1))
    }

    @Test func `PLACE-18 every hop counts, and one too many is refused`() throws {
        let request = try Sample.request(origin: .peer(node: "pop-2", hops: 1))
        let forwarded = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival)
        #expect(forwarded.hops == 2)
        try forwarded.admit(hopsMax: 2)
        #expect { try forwarded.admit(hopsMax: 1) } throws: { ($0 as? InvocationError)?.code == .hopLimit }
    }

    @Test(arguments: [0, -1])
    func `a call without time left is refused`(remaining: Int) throws {
        let forwarded = try Self.read(Self.document(["remaining": ByteBuffer(number: remaining)]))
        #expect { try forwarded.admit(hopsMax: 1) } throws: { ($0 as? InvocationError)?.code == .deadlineExceeded }
    }

    @Test(arguments: [
        "requestID", "account", "functionRegion", "functionName", "version", "revision", "invokedARN", "remaining", "hops", "reason",
        "traceID",
    ])
    func `a call that lacks, repeats or overfills a field is refused by name`(name: String) throws {
        let tag = try #require(Self.tags[name])
        var repeated = try Self.document()
        repeated.fields.append((tag, try #require(repeated[tag])))
        let long = ByteBuffer(repeating: UInt8(ascii: "a"), count: 1025)
        let others = try [nil, ByteBuffer(), long].map { try Self.document([name: $0]) }
        for document in others + [repeated] {
            #expect {
                try Self.read(document)
            } throws: { error in
                (error as? ForwardingError)?.code == .invalidRequest && "\(error)".contains(name)
            }
        }
    }

    @Test(arguments: [
        ("requestID", ByteBuffer(string: "7")), ("account", ByteBuffer(string: "12345678901")), ("version", ByteBuffer(string: "0")),
        ("remaining", ByteBuffer(string: "1.5")), ("remaining", ByteBuffer(number: 86_400_001)), ("hops", ByteBuffer(number: 0)),
        ("hops", ByteBuffer(number: -3)), ("reason", ByteBuffer(string: "whim")),
    ])
    func `a call with a value that cannot be is refused by the field's name`(name: String, value: ByteBuffer) throws {
        let document = try Self.document([name: value])
        #expect {
            try Self.read(document)
        } throws: { error in
            (error as? ForwardingError)?.code == .invalidRequest && "\(error)".contains(name)
        }
    }

    @Test func `whatever comes instead of a call is refused, wherever it was cut off`() throws {
        let whole = try Self.document().opening
        for count in 0..<whole.readableBytes {
            var part = try #require(whole.getSlice(at: whole.readerIndex, length: count))
            #expect(throws: ForwardingError.self, "\(count) bytes") { try ForwardedInvocation(opening: &part, from: "pop-1") }
        }
        // A field that claims to be longer than its document, and a document longer than may be.
        var longer = try Self.document().bytes
        longer.setInteger(UInt32.max, at: longer.readerIndex + 1)
        var claims = ByteBuffer()
        claims.writeMultipleIntegers(UInt8(7), UInt32(longer.readableBytes))
        claims.writeImmutableBuffer(longer)
        #expect { try ForwardedInvocation(opening: &claims, from: "pop-1") } throws: { ($0 as? ForwardingError)?.code == .invalidRequest }
        var large = try Self.document(["clientContext": ByteBuffer(repeating: 0x20, count: 33 << 10)]).opening
        #expect { try ForwardedInvocation(opening: &large, from: "pop-1") } throws: { ($0 as? ForwardingError)?.code == .invalidRequest }
    }

    @Test(arguments: [nil, "", "1", "3", "2, 2"])
    func `another version of the protocol is refused`(version: String?) throws {
        var fields = HTTPFields()
        fields[.waysideProtocol] = version
        #expect { try PeerFields.checkProtocol(fields) } throws: { ($0 as? ForwardingError)?.code == .unsupportedProtocol }
    }

    @Test func `a client context over its limit is refused, one at it is not`() throws {
        let largest = ByteBuffer(repeating: UInt8(ascii: "A"), count: 6 << 10)
        #expect(try Self.read(Self.document(["clientContext": largest])).clientContext?.utf8.count == 6 << 10)
        let more = try Self.document(["clientContext": ByteBuffer(repeating: UInt8(ascii: "A"), count: (6 << 10) + 1)])
        #expect { try Self.read(more) } throws: { ($0 as? ForwardingError)?.code == .invalidRequest }
    }

    @Test func `a call without client context has none there`() throws {
        #expect(try Self.read(Self.document(["clientContext": nil])).clientContext == nil)
    }
}
