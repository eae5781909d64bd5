import EngineCore
import NIOCore
import Placement
import Testing

@testable import RegionForwarding

@Suite struct RegionReportsTests {
    static let start = EngineInstant(nanoseconds: 1_000_000_000)

    static func row(_ revision: String, sequence: UInt64, held: Bool = true, received: Double? = nil, idle: Int = 0) -> RegionReport.Row {
        RegionReport.Row(
            sequence: sequence, revision: revision, function: "arn:aws:lambda:eu-central-1:123456789012:function:hello",
            version: .published(7), held: held, calls: received == nil ? 0 : 1, lastReceived: received, idle: idle)
    }

    static func report(
        _ rows: [RegionReport.Row] = [], sequence: UInt64? = nil, epoch: String = "e", load: Double = 0, saturated: Bool = false
    ) -> RegionReport {
        RegionReport(
            node: "region-1", epoch: epoch, sequence: sequence ?? rows.map(\.sequence).max() ?? 0, more: false, load: load,
            saturated: saturated, draining: false, rows: rows)
    }

    @Test func `PLACE-10 a version is held when the region tells so, and no more when it tells otherwise`() {
        var reports = RegionReports(rowsMax: 16)
        #expect(!reports.holds("a"))
        reports.note(Self.report([Self.row("a", sequence: 1)]), now: Self.start)
        #expect(reports.holds("a") && !reports.holds("b"))
        reports.note(Self.report([Self.row("a", sequence: 2, held: false)]), now: Self.start)
        #expect(!reports.holds("a"))
    }

    @Test func `PLACE-10 a region that tells it holds a version and answers otherwise is not believed until it tells so anew`() {
        var reports = RegionReports(rowsMax: 16)
        reports.note(Self.report([Self.row("a", sequence: 1)], sequence: 5), now: Self.start)
        reports.showMissing("a")
        #expect(!reports.holds("a"))
        reports.note(Self.report([Self.row("a", sequence: 5)]), now: Self.start)
        #expect(!reports.holds("a"), "told before the answer")
        reports.note(Self.report([Self.row("a", sequence: 6)]), now: Self.start)
        #expect(reports.holds("a"))
    }

    @Test func `a call that ran shows that its version is held, before any report and until one says otherwise`() {
        var reports = RegionReports(rowsMax: 16)
        reports.showHeld("a")
        #expect(reports.holds("a"))
        reports.note(Self.report([], sequence: 3), now: Self.start)
        #expect(reports.holds("a"))
        reports.note(Self.report([Self.row("a", sequence: 4, held: false)]), now: Self.start)
        #expect(!reports.holds("a"))
    }

    @Test func `a region that begins anew is known for nothing it told before`() {
        var reports = RegionReports(rowsMax: 16)
        reports.note(Self.report([Self.row("a", sequence: 9, received: 10)]), now: Self.start)
        reports.showHeld("b")
        reports.note(Self.report([Self.row("c", sequence: 1)], epoch: "f"), now: Self.start)
        #expect(!reports.holds("a") && !reports.holds("b") && reports.holds("c"))
        #expect(reports.sequence == 1 && reports.history("a", now: Self.start) == nil)
    }

    @Test func `PLACE-12 times are told as ages, so that clocks of two nodes need not agree`() {
        var reports = RegionReports(rowsMax: 16)
        reports.note(Self.report([Self.row("a", sequence: 1, received: 1500, idle: 2)]), now: Self.start)
        let history = reports.history("a", now: Self.start + .seconds(2))
        #expect(history == .init(lastReceived: 3.5, idleContainers: 2))
        #expect(reports.age(now: Self.start + .seconds(2)) == .seconds(2))
    }

    @Test func `only so much is remembered of one region, whatever it tells`() {
        var reports = RegionReports(rowsMax: 100)
        for sequence in 1...1000 as ClosedRange<UInt64> {
            reports.note(Self.report([Self.row("\(sequence)", sequence: sequence)]), now: Self.start)
            reports.showMissing("missing \(sequence)")
            reports.showHeld("held \(sequence)")
            #expect(reports.rows.count <= 100)
        }
        #expect(reports.holds("1000") && reports.holds("held 1000") && !reports.holds("held 1"))
    }

    // MARK: - The wire

    @Test func `a report comes through its line unchanged`() throws {
        let report = Self.report([Self.row("a", sequence: 3, received: 12.5, idle: 1)], load: 0.25, saturated: true)
        var line = try report.line()
        #expect(line.readableBytesView.last == UInt8(ascii: "\n"))
        line.moveWriterIndex(to: line.writerIndex - 1)
        #expect(try RegionReport(line: line, of: "region-1") == report)
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"node\":\"region-1\"}",
        #"{"node":"region-2","epoch":"e","sequence":1,"more":false,"load":0,"saturated":false,"draining":false,"rows":[]}"#,
        #"{"node":"region-1","epoch":"e","sequence":-1,"more":false,"load":0,"saturated":false,"draining":false,"rows":[]}"#,
    ])
    func `a line that is no report of the region is refused`(text: String) {
        #expect {
            try RegionReport(line: ByteBuffer(string: text), of: "region-1")
        } throws: {
            ($0 as? ForwardingError)?.code == .invalidAnswer
        }
    }

    @Test func `a report with more or larger rows than it may have is refused`() throws {
        var long = Self.row(String(repeating: "x", count: 129), sequence: 1)
        var reports = [Self.report((1...129).map { Self.row("\($0)", sequence: $0) }), Self.report([long])]
        long = Self.row("a", sequence: 1, received: -1)
        reports.append(Self.report([long]))
        long.lastReceived = nil
        long.idle = -1
        reports.append(Self.report([long]))
        for report in reports {
            #expect(throws: ForwardingError.self) { try RegionReport(line: try report.line(), of: "region-1") }
        }
    }

    @Test func `the longest line that is sent is shorter than the longest that is taken`() throws {
        let rows = (1...ForwardWire.reportRowsMax).map { number in
            var row = Self.row(
                "0b8a64c1-75b1-4b2e-9d2f-6a2f0c2f8f11", sequence: .max - UInt64(number), received: 123_456_789.123_456_78, idle: 123_456)
            row.function =
                "arn:aws:lambda:ap-northeast-1:123456789012:function:" + String(repeating: "n", count: 64)
            (row.coldStart, row.run, row.calls) = (12_345.678_901_234_567, 98_765.432_109_876_543, .max)
            return row
        }
        #expect(try Self.report(rows).line().readableBytes <= ForwardWire.documentBytesMax)
    }

    @Test func `lines are cut where they end, however their bytes come`() throws {
        var splitter = LineSplitter(bytesMax: 8)
        var lines: [String] = []
        for part in ["ab", "c\nd", "\n\nefgh", "ijkl\n"] {
            splitter.append(ByteBuffer(string: part))
            while let line = try splitter.next() { lines.append(String(buffer: line)) }
        }
        #expect(lines == ["abc", "d", "", "efghijkl"])
        splitter.append(ByteBuffer(string: "123456789"))
        do throws(ForwardingError) {
            _ = try splitter.next()
            Issue.record("The line is too long.")
        } catch {
            #expect(error.code == .invalidAnswer)
        }
    }
}
