import EngineCore
import Foundation
import NIOCore
import Testing

@testable import RegionForwarding

@Suite struct ForwardedEndTests {
    /// A region's record with every value that the end of an answer carries.
    static func record() throws -> InvocationRecord {
        var record = Sample.record(of: try Sample.request())
        record.startLevel = .warm
        record.errorType = "Runtime.100%\nOdd"
        record.memoryPeak = ByteCount(12_345_678)
        record.responseByteCount = 17
        record.forwardedBy = "pop-1"
        record.hops = 1
        record.endingParty = .timeout
        record.outcome = .functionError
        (record.spans.decide, record.spans.wait, record.spans.fetch, record.spans.start) = (0.012345, 1, 2, 3)
        (record.spans.thaw, record.spans.initialise, record.spans.forward, record.spans.total) = (4.5, 5, 6, 1_000_000.25)
        var capacity = InvocationRecord.Capacity()
        capacity.subPool = .general(runtime: "python", sizeClass: 128)
        (capacity.instance, capacity.container, capacity.generation) = (3, 4, .max)
        (capacity.branch, capacity.waitedFor, capacity.refusal, capacity.coldCause) = (.loaded, .shortage, .noCapacity, .busy)
        capacity.affinity = InvocationRecord.Affinity(
            source: .header, value: "50% of\nit", result: .hit, isOverflow: true, tokenIsVoid: true)
        record.capacity = capacity
        return record
    }

    static func object(_ value: some Encodable) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? NSDictionary)
    }

    @Test func `a region's record arrives as it was, whatever is in it`() throws {
        let sent = ForwardedEnd(outcome: .functionError, logDroppedByteCount: 7, record: try Self.record())
        let received = try ForwardedEnd(document: sent.document())
        #expect(received.outcome == .functionError)
        #expect(received.logDroppedByteCount == 7)
        #expect(try Self.object(received.record) == Self.object(sent.record))
    }

    @Test func `what a record has at a region is carried, or is known to the sender`() throws {
        // A value that is new in the record belongs into ForwardedEnd, or here.
        let known: Set<String> = ["origin", "remote", "tries", "regions", "placement", "staleRevision"]
        let record = try Self.record()
        let missing = Mirror(reflecting: record).children.filter { "\($0.value)" == "nil" }.compactMap(\.label)
        #expect(Set(missing) == known)
    }

    @Test func `values that are new to this node are passed over, and an end without a value that it needs is refused`() throws {
        let end = ForwardedEnd(outcome: .success, logDroppedByteCount: 0, record: try Self.record()).document()
        var more = try RawDocument(end)
        more[60] = ByteBuffer(string: "good")
        #expect(throws: Never.self) { try ForwardedEnd(document: more.bytes) }
        // Outcome, request, node, reason, hops.
        for tag: UInt8 in [1, 3, 7, 9, 21] {
            var less = try RawDocument(end)
            less[tag] = nil
            #expect(throws: ForwardingError.self, "without \(tag)") { try ForwardedEnd(document: less.bytes) }
        }
        // Spans, in them the total: no time is that long, none is negative, and some numbers are none.
        for number in [1e25, -1, Double.infinity, .nan] {
            var wrong = try RawDocument(end)
            var spans = try RawDocument(try #require(wrong[22]))
            spans[9] = ByteBuffer(integer: number.bitPattern)
            wrong[22] = spans.bytes
            #expect(throws: ForwardingError.self, "\(number)") { try ForwardedEnd(document: wrong.bytes) }
        }
        var odd = try RawDocument(end)
        odd[21] = ByteBuffer(string: "one")
        #expect(throws: ForwardingError.self) { try ForwardedEnd(document: odd.bytes) }
    }
}
