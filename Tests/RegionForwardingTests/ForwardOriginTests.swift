import EngineCore
import NIOCore
import RegionForwarding
import Testing

@Suite struct ForwardOriginTests {
    static let origin = ForwardOrigin(
        reason: .uncommon, elapsed: 0.412,
        placement: PlacementBasis(
            policy: .market, callsPerHalfLife: 1.5, isFrequent: false, latency: .high, coldStart: 210.5, roundTrip: 41.2, runHere: 5.1,
            runThere: 4.2, memory: ByteCount(128 << 20), freeMemory: ByteCount(1 << 30), freeSlots: 12, isCodeHere: true, price: 1.2e-07,
            startsBehind: true),
        choice: .init(basis: .warmth, regionCount: 3, roundTrip: 41.2, queueing: 0, start: 3.1),
        tries: [
            .init(node: "region-1", stage: .beforeSend, code: .overloaded),
            .init(node: "region-2", stage: .beforeStart, code: .versionNotHeld),
        ])

    /// What a region reads of a call that is sent with `decision`, its document changed by `change`.
    static func read(_ decision: ForwardOrigin?, _ change: (inout RawDocument) -> Void = { _ in }) throws -> ForwardOrigin? {
        let request = try Sample.request()
        let call = ForwardedInvocation(request, reason: .uncommon, decision: decision, origin: "pop-1", now: request.arrival)
        var document = try RawDocument(opening: call.opening())
        if let sent = document[15] {
            var inner = try RawDocument(sent)
            change(&inner)
            document[15] = inner.bytes
        }
        var body = document.opening
        return try ForwardedInvocation(opening: &body, from: "pop-1").decision
    }

    @Test func `PLACE-19 what the POP decided with reaches the region, and from there the record of the call`() throws {
        #expect(try Self.read(Self.origin) == Self.origin)
        #expect(try Self.read(nil) == nil)
        let bare = ForwardOrigin(reason: .uncommon, elapsed: 0)
        #expect(try Self.read(bare) == bare)
        let request = try Sample.request()
        let sent = ForwardedInvocation(request, reason: .uncommon, decision: Self.origin, origin: "pop-1", now: request.arrival)
        #expect(sent.request(of: request.function, payload: request.payload, arrival: request.arrival).forwarded == Self.origin)
    }

    @Test func `a field that the reader does not know is passed over`() throws {
        #expect(try Self.read(Self.origin) { $0[60] = ByteBuffer(string: "good") } == Self.origin)
        #expect(try Self.read(Self.origin) { $0[200] = ByteBuffer(string: "good") } == Self.origin)
    }

    @Test(arguments: [
        (1, nil), (1, ByteBuffer(string: "1")), (1, ByteBuffer(integer: Double.nan.bitPattern)), (2, ByteBuffer(string: "whim")),
        (12, ByteBuffer(number: -1)), (6, ByteBuffer(integer: UInt8(2))), (23, ByteBuffer(string: "Region_1:before_send:overloaded")),
    ] as [(UInt8, ByteBuffer?)])
    func `a decision that cannot be read explains nothing, and the call goes on`(tag: UInt8, value: ByteBuffer?) throws {
        #expect(try Self.read(Self.origin) { $0[tag] = value } == nil)
    }

    @Test func `however often a call was tried, its field is bounded and tells the last ones`() throws {
        var origin = Self.origin
        origin.tries = (1...100).map { number in
            .init(node: String(repeating: "n", count: 60) + "\(number)", stage: .beforeStart, code: .reservedConcurrency)
        }
        #expect(try Self.read(origin)?.tries == Array(origin.tries.suffix(8)))
        #expect(try Self.read(origin) { $0[23] = ByteBuffer(repeating: UInt8(ascii: "n"), count: 2049) } == nil)
    }

    @Test func `a record keeps a bounded number of tries, each with a bounded message`() throws {
        var record = try Sample.result(payload: ByteBuffer()).record
        let long = InvocationError(.overloaded, String(repeating: "ä", count: 1000))
        for number in 1...20 { record.note(InvocationTry(at: "region-\(number)", long, began: 0, took: 1)) }
        let tries = try #require(record.tries)
        #expect(tries.count == InvocationTry.countMax)
        #expect(tries.last?.node == "region-20")
        #expect(tries.allSatisfy { $0.message.utf8.count <= InvocationTry.messageBytesMax && !$0.message.isEmpty })
        #expect(tries.allSatisfy { $0.stage == .beforeStart })
    }
}
