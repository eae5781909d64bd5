import EngineCore
import Telemetry
import Testing

@Suite struct ArrivalLogTests {
    private func record(
        _ arn: String = "arn:a", at arrival: Double, decision: InvocationRecord.Decision = .run, level: StartLevel? = .warm,
        _ spans: (inout InvocationRecord.Spans) -> Void = { _ in }
    ) throws -> InvocationRecord {
        var record = InvocationRecord(
            requestID: RequestID(), functionARN: arn, version: .latest, account: try #require(AccountID("123456789012")), node: "n",
            decision: decision, reason: .warm, startLevel: level, arrivalEpochSeconds: arrival, outcome: .success,
            endingParty: .function, memoryLimit: .mebibytes(128), requestByteCount: 2)
        spans(&record.spans)
        return record
    }

    @Test func `a row says when, how long, what was added and how the call got its place`() throws {
        var log = ArrivalLog(rowsMax: 10)
        log.add(
            try record(at: 100, level: .zygote) {
                $0.start = 20
                $0.initialise = 30
                $0.run = 200
                $0.total = 251
            })
        let row = try #require(log.rows(from: 0, limit: 10).rows.first)
        #expect(row.arrival == 100)
        #expect(row.fate == .zygote)
        #expect(abs(row.duration - 0.2) < 1e-6)
        #expect(abs(row.added - 0.051) < 1e-6)
        let function = try #require(log.rows(from: 0, limit: 10).functions.first)
        #expect(function.memoryMebibytes == 128)
        #expect(abs((function.coldStartSeconds ?? 0) - 0.051) < 1e-9)
        #expect(function.spareStartSeconds == nil)
    }

    @Test func `what a start costs is a mean of the last ones, without waits`() throws {
        var log = ArrivalLog(rowsMax: 100)
        for milliseconds in [10.0, 20, 30] {
            log.add(
                try record(at: 100, level: .boot) {
                    $0.wait = 500
                    $0.run = 100
                    $0.total = 600 + milliseconds
                })
        }
        let cold = try #require(log.rows(from: 0, limit: 1).functions.first?.coldStartSeconds)
        #expect(abs(cold - 0.02) < 1e-9)
        for _ in 0..<100 {
            log.add(try record(at: 101, level: .container) { $0.total = 50 })
        }
        let later = try #require(log.rows(from: 0, limit: 1).functions.first?.coldStartSeconds)
        #expect(abs(later - 0.05) < 1e-4)
    }

    @Test func `a forwarded call's run is the region's, and the rest is the way there`() throws {
        var log = ArrivalLog(rowsMax: 10)
        var call = try record(at: 1, decision: .forward, level: .warm) { $0.total = 140 }
        var there = InvocationRecord.Spans()
        there.run = 100
        there.total = 101
        call.remote = InvocationRecord.RemoteRecord(node: "r", reason: .warm, startLevel: .warm, spans: there)
        log.add(call)
        let extract = log.rows(from: 0, limit: 1)
        #expect(extract.rows.first?.fate == .forwarded)
        #expect(abs((extract.rows.first?.added ?? 0) - 0.04) < 1e-6)
        #expect(abs((extract.functions.first?.roundTripSeconds ?? 0) - 0.039) < 1e-9)
    }

    @Test func `a reader goes on where it was and hears what it missed`() throws {
        var log = ArrivalLog(rowsMax: 4)
        for second in 0..<3 { log.add(try record(at: Double(second))) }
        let first = log.rows(from: 0, limit: 2)
        #expect(first.rows.map(\.arrival) == [0, 1])
        #expect(first.next == 2)
        #expect(first.missed == 0)
        for second in 3..<10 { log.add(try record(at: Double(second))) }
        let later = log.rows(from: first.next, limit: 100)
        #expect(later.rows.map(\.arrival) == [6, 7, 8, 9])
        #expect(later.missed == 4)
        #expect(log.rows(from: later.next, limit: 100).rows.isEmpty)
        #expect(log.firstRow(since: 8) == 8)
        #expect(log.firstRow(since: 50) == 10)
    }

    @Test func `a function without rows gives its place to another, and one too many is left out and counted`() throws {
        var log = ArrivalLog(rowsMax: 2, functionsMax: 2)
        log.add(try record("arn:a", at: 0))
        log.add(try record("arn:b", at: 1))
        log.add(try record("arn:c", at: 2))
        #expect(log.leftOut == 1)
        log.add(try record("arn:b", at: 3))
        log.add(try record("arn:c", at: 4))
        #expect(log.leftOut == 1)
        let extract = log.rows(from: 0, limit: 10)
        #expect(extract.functions.map(\.arn) == ["arn:b", "arn:c"])
        #expect(Set(extract.functions.map(\.number)).count == 2)
        #expect(extract.rows.map(\.arrival) == [3, 4])
    }

    @Test func `a log of no rows keeps none`() throws {
        var log = ArrivalLog(rowsMax: 0)
        log.add(try record(at: 0))
        #expect(log.rows(from: 0, limit: 10).rows.isEmpty)
        #expect(log.count == 0)
    }

    @Test func `the record store keeps a row of every call, also of those whose records are gone`() throws {
        let store = RecordStore(countMax: 2, logBytesMax: .mebibytes(1))
        for second in 0..<5 { store.add(RecordStore.Entry(record: try record(at: Double(second)), log: InvocationLog())) }
        #expect(store.arrivals(from: store.firstArrival(since: 1), limit: 10).rows.count == 4)
    }
}

@Suite struct ArrivalLogPackingTests {
    @Test func `rows come back as they were packed`() {
        let rows = ArrivalLog.Fate.allCases.enumerated().map { number, fate in
            ArrivalLog.Row(
                arrival: 1_700_000_000.125 + Double(number), function: UInt32(number) &* 0x0102_0304, duration: 0.5, added: 0.001,
                fate: fate)
        }
        let bytes = ArrivalLog.pack(rows)
        #expect(bytes.count == rows.count * ArrivalLog.rowByteCount)
        #expect(ArrivalLog.unpack(bytes) == rows)
    }

    @Test func `bytes that are no rows are refused`() {
        #expect(ArrivalLog.unpack([1, 2, 3]) == nil)
        #expect(ArrivalLog.unpack([UInt8](repeating: 0xFF, count: ArrivalLog.rowByteCount)) == nil)
        #expect(ArrivalLog.unpack([]) == [])
    }
}
