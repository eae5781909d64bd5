import EngineCore
import Testing

@testable import RegionForwarding

@Suite struct ReceiveHistoryTests {
    static let start = EngineInstant(nanoseconds: 1_000_000_000)
    static let none: @Sendable (PinnedVersion) -> Int = { _ in 0 }

    private func receive(_ history: inout ReceiveHistory, _ version: PinnedVersion, now: EngineInstant = Self.start) {
        history.received(VersionIdentity(version), running: version, now: now)
    }

    private func told(_ history: inout ReceiveHistory, since: UInt64 = 0, limit: Int = 100) -> [String] {
        history.changes(since: since, limit: limit, idle: Self.none).rows.map(\.identity.revision)
    }

    @Test func `PLACE-12 what changed since the reader's last report is told once, as it is now, oldest change first`() throws {
        var history = ReceiveHistory()
        let (a, b, c) = (try Sample.version(revision: "a"), try Sample.version(revision: "b"), try Sample.version(revision: "c"))
        receive(&history, a)
        receive(&history, b)
        let read = history.sequence
        receive(&history, c)
        receive(&history, a, now: Self.start + .seconds(1))
        history.answered(VersionIdentity(a), coldStart: 300, run: 10)
        history.answered(VersionIdentity(a), coldStart: nil, run: 20)
        let changes = history.changes(since: read, limit: 100) { $0.revision == "a" ? 2 : 0 }
        #expect(changes.rows.map(\.identity.revision) == ["c", "a"])
        #expect(changes.sequence == history.sequence && !changes.more)
        let row = try #require(changes.rows.last)
        #expect(row.calls == 2 && row.idle == 2 && row.coldStart == 300 && row.isHeld)
        #expect(row.lastReceived == Self.start + .seconds(1))
        #expect(try #require(row.run) > 10 && row.run != 20)
        #expect(told(&history, since: history.sequence).isEmpty)
    }

    @Test func `a reader that takes a few rows at a time gets all of them`() throws {
        var history = ReceiveHistory()
        for number in 0..<10 { receive(&history, try Sample.version(revision: "\(number)")) }
        receive(&history, try Sample.version(revision: "3"))
        var (since, revisions): (UInt64, [String]) = (0, [])
        while true {
            let (rows, sequence, more) = history.changes(since: since, limit: 3, idle: Self.none)
            revisions += rows.map(\.identity.revision)
            since = sequence
            guard more else { break }
            #expect(rows.count == 3)
        }
        #expect(revisions == ["0", "1", "2", "4", "5", "6", "7", "8", "9", "3"])
    }

    @Test func `PLACE-10 versions that come and go are told, and no more is told than changed`() throws {
        var history = ReceiveHistory()
        let version = try Sample.version(revision: "a")
        history.hold(VersionIdentity(version))
        history.hold(VersionIdentity(version))
        #expect(history.sequence == 1)
        #expect(history.changes(since: 0, limit: 9, idle: Self.none).rows.map(\.isHeld) == [true])
        history.drop(revision: "a")
        history.drop(revision: "a")
        history.drop(revision: "unknown")
        #expect(history.sequence == 2)
        #expect(history.changes(since: 1, limit: 9, idle: Self.none).rows.map(\.isHeld) == [false])
    }

    @Test func `an idle container that goes without a call is told of to every reader`() throws {
        var history = ReceiveHistory()
        let version = try Sample.version(revision: "a")
        receive(&history, version)
        #expect(history.changes(since: 0, limit: 9) { _ in 1 }.rows.map(\.idle) == [1])
        let read = history.sequence
        history.refresh { _ in 1 }
        #expect(history.sequence == read)
        // A second reader that comes now is told what the first was; then the change is told to both.
        #expect(history.changes(since: 0, limit: 9, idle: Self.none).rows.map(\.idle) == [1])
        history.refresh(idle: Self.none)
        #expect(history.changes(since: read, limit: 9, idle: Self.none).rows.map(\.idle) == [0])
        history.refresh(idle: Self.none)
        #expect(told(&history, since: history.sequence).isEmpty)
    }

    @Test func `only so many versions are remembered, the last changed ones, whatever comes`() throws {
        var history = ReceiveHistory(rowsMax: 64)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5000 {
            receive(&history, try Sample.version(revision: "\(Int.random(in: 0..<500, using: &random))"))
            #expect(history.count <= 64)
        }
        let all = told(&history)
        #expect(all.count == history.count && Set(all).count == all.count && all.count > 50)
        receive(&history, try Sample.version(revision: "new"))
        #expect(told(&history).last == "new")
    }
}
