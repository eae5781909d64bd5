import EngineCore
import NIOCore
import Telemetry
import Testing

@Suite struct RecordStoreTests {
    private func entry(_ id: RequestID = RequestID(), log: String = "", version: Int = 1) throws -> RecordStore.Entry {
        let account = try #require(AccountID("123456789012"))
        let record = InvocationRecord(
            requestID: id, functionARN: "arn", version: .published(version), account: account, node: "n", decision: .run,
            reason: .warm, arrivalEpochSeconds: 0, outcome: .success, endingParty: .function, memoryLimit: .mebibytes(128),
            requestByteCount: 2)
        return RecordStore.Entry(record: record, log: InvocationLog(text: ByteBuffer(string: log)))
    }

    @Test func `a record is found by its request id with its log`() throws {
        let store = RecordStore(countMax: 4, logBytesMax: .mebibytes(1))
        let id = RequestID()
        store.add(try entry(id, log: "hello"))
        #expect(store.entry(id).map { String(buffer: $0.log.text) } == "hello")
        #expect(store.entry(RequestID()) == nil)
    }

    @Test func `the oldest records go when there are too many, and are counted`() throws {
        let store = RecordStore(countMax: 3, logBytesMax: .mebibytes(1))
        let ids = (0..<10).map { _ in RequestID() }
        for id in ids { store.add(try entry(id)) }
        #expect(store.newest(10).map(\.record.requestID) == ids.suffix(3).reversed())
        #expect(store.evictedCount == 7)
        #expect(store.entry(ids[0]) == nil)
    }

    @Test(arguments: [0, 127, 128, 700, 701, 1500])
    func `the newest are listed newest first, filtered, however many pages that takes`(count: Int) throws {
        let store = RecordStore(countMax: 700, logBytesMax: .mebibytes(1))
        for version in 0..<count { store.add(try entry(version: version + 1)) }
        let kept = Array((1...1500).prefix(count).suffix(700).reversed()).map { FunctionVersion.published($0) }
        #expect(store.newest(5000).map(\.record.version) == kept)
        #expect(store.newest(300).map(\.record.version) == Array(kept.prefix(300)))
        let odd = kept.enumerated().filter { $0.offset.isMultiple(of: 3) }.map(\.element)
        let wanted = Set(odd)
        #expect(store.newest(150) { wanted.contains($0.version) }.map(\.record.version) == Array(odd.prefix(150)))
    }

    @Test func `the oldest records go when their logs are too long, the newest stays`() throws {
        let store = RecordStore(countMax: 100, logBytesMax: ByteCount(10))
        for _ in 0..<5 { store.add(try entry(log: "12345")) }
        #expect(store.newest(10).count == 2)
        store.add(try entry(log: String(repeating: "x", count: 50)))
        #expect(store.newest(10).count == 1)
    }

    @Test func `a second record of a request replaces the first`() throws {
        let store = RecordStore(countMax: 3, logBytesMax: .mebibytes(1))
        let id = RequestID()
        store.add(try entry(id, version: 1))
        store.add(try entry(id, version: 2))
        #expect(store.newest(10).map(\.record.version) == [.published(2)])
        #expect(store.evictedCount == 0)
    }
}
