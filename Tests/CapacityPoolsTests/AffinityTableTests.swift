@testable import CapacityPools
import EngineCore
import Foundation
import Testing

private let account = AccountID("000000000001")
private let other = AccountID("000000000002")

private func scope(_ name: String, _ version: FunctionVersion = .latest, of owner: AccountID? = account) throws -> AffinityScope {
    AffinityScope(function: FunctionKey(account: try #require(owner), region: "us-east-1", name: name), version: version)
}

private func container(_ number: UInt64) -> ContainerID { ContainerID(number: number) }

private func at(_ seconds: Int64) -> EngineInstant { EngineInstant(nanoseconds: seconds * 1_000_000_000) }

@Suite struct AffinityTableTests {
    @Test func `STICK-06 rows are kept, listed and removed, and a removed value is new again`() throws {
        var table = AffinityTable()
        let hello = try scope("hello")
        let greet = try scope("greet")
        #expect(table.map(AffinityKey(hello, "a"), to: container(1), now: at(1)).result == .new)
        #expect(table.map(AffinityKey(hello, "b"), to: container(2), now: at(2)).result == .new)
        #expect(table.map(AffinityKey(greet, "a"), to: container(3), now: at(3)).result == .new)
        table.noteUse(AffinityKey(hello, "a"), now: at(4))
        #expect(table.list().map(\.key.value) == ["a", "a", "b"])
        #expect(table.list().map(\.container.number) == [1, 3, 2])
        #expect(table.list(function: hello.function).map(\.uses) == [2, 1])
        #expect(table.list(container: container(3)).map(\.key.scope) == [greet])
        #expect(table.list(limit: 1).count == 1)
        let removed = table.remove(AffinityKey(hello, "a"))
        let row = try #require(removed)
        #expect(row.container == container(1) && row.created == at(1) && row.lastUsed == at(4))
        #expect(table.find(AffinityKey(hello, "a")) == .unknown)
        #expect(!table.isMapped(container(1)))
        #expect(table.map(AffinityKey(hello, "a"), to: container(9), now: at(5)).result == .new)
        #expect(table.brokenInvariant() == nil)
    }

    @Test func `STICK-14 a value whose container has gone is told so once, then mapped anew`() throws {
        var table = AffinityTable()
        let key = AffinityKey(try scope("hello"), "a")
        _ = table.map(key, to: container(1), now: at(1))
        #expect(table.containerEnded(container(1), leavesGone: true).map(\.key) == [key])
        #expect(table.find(key) == .gone)
        #expect(table.list().isEmpty && table.goneCount == 1)
        #expect(table.map(key, to: container(2), now: at(2)).result == .gone)
        #expect(table.find(key) == .mapped(container(2)))
        #expect(table.map(key, to: container(2), now: at(3)).result == .hit)
        #expect(table.map(key, to: container(3), now: at(4)).result == .moved)
        #expect(table.row(key)?.uses == 1 && table.goneCount == 0)
        #expect(table.brokenInvariant() == nil)
    }

    @Test func `STICK-16 the end of a container's keep-alive takes all its rows and leaves nothing`() throws {
        var table = AffinityTable()
        let hello = try scope("hello")
        for value in ["a", "b", "c"] { _ = table.map(AffinityKey(hello, value), to: container(1), now: at(1)) }
        _ = table.map(AffinityKey(hello, "d"), to: container(2), now: at(2))
        #expect(table.containerEnded(container(1), leavesGone: false).count == 3)
        #expect(table.list().map(\.key.value) == ["d"])
        #expect(table.goneCount == 0 && table.find(AffinityKey(hello, "b")) == .unknown)
        #expect(table.containerEnded(container(1), leavesGone: true).isEmpty)
        #expect(table.brokenInvariant() == nil)
    }

    @Test func `STICK-17 equal values of another account, function or version are other rows`() throws {
        var table = AffinityTable()
        let scopes = try [
            scope("hello"), scope("hello", of: other), scope("greet"), scope("hello", .published(1)), scope("hello", .published(2)),
        ]
        for (number, scope) in scopes.enumerated() {
            #expect(table.map(AffinityKey(scope, "a"), to: container(UInt64(number) + 1), now: at(1)).result == .new)
        }
        for (number, scope) in scopes.enumerated() {
            #expect(table.find(AffinityKey(scope, "a")) == .mapped(container(UInt64(number) + 1)))
        }
    }

    @Test func `STICK-20 a flood of values displaces the flooding function's own rows, the least recently used first`() throws {
        var table = AffinityTable(limits: .init(rowsMax: 100, rowsPerFunctionMax: 40, goneMax: 10))
        let quiet = AffinityKey(try scope("quiet"), "a")
        _ = table.map(quiet, to: container(1_000_000), now: at(0))
        let flood = try scope("flood")
        for number in 0..<10_000 {
            _ = table.map(AffinityKey(flood, "\(number)"), to: container(UInt64(number) + 1), now: at(Int64(number)))
            // One that is in use stays.
            table.noteUse(AffinityKey(flood, "0"), now: at(Int64(number)))
        }
        #expect(table.rowCount == 41)
        #expect(table.find(quiet) == .mapped(container(1_000_000)))
        #expect(table.find(AffinityKey(flood, "0")) == .mapped(container(1)))
        #expect(table.find(AffinityKey(flood, "1")) == .unknown)
        #expect(table.find(AffinityKey(flood, "9999")) == .mapped(container(10_000)))
        #expect(table.brokenInvariant() == nil)
    }

    @Test func `STICK-20 a full table takes from the function with the most rows`() throws {
        var table = AffinityTable(limits: .init(rowsMax: 100, rowsPerFunctionMax: 90))
        for number in 0..<90 { _ = table.map(AffinityKey(try scope("large"), "\(number)"), to: container(UInt64(number)), now: at(1)) }
        for number in 0..<10 { _ = table.map(AffinityKey(try scope("small"), "\(number)"), to: container(200), now: at(2)) }
        let mapping = table.map(AffinityKey(try scope("late"), "a"), to: container(300), now: at(3))
        let oldest = AffinityKey(try scope("large"), "0")
        #expect(mapping.displaced?.key == oldest)
        for number in 10..<60 { _ = table.map(AffinityKey(try scope("small"), "\(number)"), to: container(200), now: at(4)) }
        // Two that flood settle at equal shares, and the third keeps its row.
        let counts = Dictionary(grouping: table.list()) { $0.key.scope.function.name }.mapValues(\.count)
        #expect(counts["late"] == 1)
        let shares = [counts["large"] ?? 0, counts["small"] ?? 0]
        #expect(shares.allSatisfy { [49, 50].contains($0) }, "\(shares)")
        #expect(table.rowCount == 100)
        #expect(table.brokenInvariant() == nil)
    }

    @Test func `the values that are gone are remembered up to their limit`() throws {
        var table = AffinityTable(limits: .init(goneMax: 3))
        let hello = try scope("hello")
        for number in 0..<5 {
            _ = table.map(AffinityKey(hello, "\(number)"), to: container(UInt64(number)), now: at(Int64(number)))
            table.containerEnded(container(UInt64(number)), leavesGone: true)
        }
        #expect((0..<5).map { table.find(AffinityKey(hello, "\($0)")) } == [.unknown, .unknown, .gone, .gone, .gone])
        #expect(table.goneCount == 3 && table.brokenInvariant() == nil)
    }

    @Test func `a saved table is restored with its ages, and what did not survive is gone`() throws {
        var table = AffinityTable()
        let hello = try scope("hello", .published(3))
        _ = table.map(AffinityKey(hello, "a"), to: container(1), now: at(10))
        _ = table.map(AffinityKey(hello, "b"), to: container(2), now: at(20))
        table.noteUse(AffinityKey(hello, "a"), now: at(30))
        let bytes = try JSONEncoder().encode(table.saved(now: at(40)))
        var next = AffinityTable()
        next.restore(try JSONDecoder().decode([SavedAffinityRow].self, from: bytes), now: at(1040)) { $0.containerNumber == 1 }
        let row = try #require(next.row(AffinityKey(hello, "a")))
        #expect(row.container == container(1) && row.created == at(1010) && row.lastUsed == at(1030) && row.uses == 2)
        #expect(next.find(AffinityKey(hello, "b")) == .gone)
        #expect(next.brokenInvariant() == nil)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `the books stay right under any order of operations`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var table = AffinityTable(limits: .init(rowsMax: 30, rowsPerFunctionMax: 12, goneMax: 7))
        var model: [AffinityKey: ContainerID] = [:]
        let scopes = try (0..<5).map { try scope("f\($0)") }
        for step in 0..<2_000 {
            let now = at(Int64(step))
            let key = AffinityKey(scopes[random.number(below: 5)], "\(random.number(below: 20))")
            let id = container(UInt64(random.number(below: 12)))
            switch random.number(below: 10) {
            case 0..<5:
                let before = table.find(key)
                let mapping = table.map(key, to: id, now: now)
                switch before {
                case .unknown: #expect(mapping.result == .new)
                case .gone: #expect(mapping.result == .gone)
                case .mapped(let old): #expect(mapping.result == (old == id ? .hit : .moved))
                }
                if let displaced = mapping.displaced { model[displaced.key] = nil }
                model[key] = id
            case 5..<8: table.noteUse(key, now: now)
            case 8:
                table.containerEnded(id, leavesGone: random.number(below: 2) == 0)
                model = model.filter { $0.value != id }
            default:
                table.remove(key)
                model[key] = nil
            }
            let broken = table.brokenInvariant()
            #expect(broken == nil, "seed \(seed), step \(step): \(broken ?? "")")
            #expect(table.rowCount == model.count, "seed \(seed), step \(step)")
            if broken != nil { return }
        }
        for (key, id) in model { #expect(table.find(key) == .mapped(id), "seed \(seed)") }
    }
}

extension SplitMix {
    fileprivate mutating func number(below bound: UInt64) -> Int { Int(next() % bound) }
}
