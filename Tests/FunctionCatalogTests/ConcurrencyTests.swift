import EngineCore
import FunctionCatalog
import Testing

@Suite struct ConcurrencyTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    /// The results of `count` calls that run in parallel; `nil` for those refused with the code.
    private func parallel<Value: Sendable>(
        _ count: Int, refusedWith code: CatalogError.Code, _ body: @escaping @Sendable (Int) throws -> Value
    ) async throws -> [Value?] {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            for number in 0..<count {
                group.addTask {
                    do {
                        return try body(number)
                    } catch let error as CatalogError where error.code == code {
                        return nil
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func `of 100 updates that expect the same revision exactly one wins, each time`() async throws {
        var current = try catalog.make()
        for _ in 0..<5 {
            let expected = current.revision
            let answers = try await parallel(100, refusedWith: .revisionMismatch) { [catalog] number in
                try catalog.updateSettings(key(), expecting: expected) { $0.timeoutSeconds = number + 1 }
            }
            let winners = answers.compactMap { $0 }
            #expect(answers.count == 100 && winners.count == 1)
            current = try #require(winners.first)
            #expect(try catalog.entry(key(), .latest) == current)
            #expect(try catalog.pinned(key(), .latest).revision == current.revision)
        }
    }

    @Test func `of 100 creations of one name exactly one wins`() async throws {
        let answers = try await parallel(100, refusedWith: .functionExists) { [catalog] number in
            try catalog.make(code: code(number % 16))
        }
        let winners = answers.compactMap { $0 }
        #expect(winners.count == 1)
        #expect(try catalog.entry(key(), .latest) == winners.first)
    }

    @Test func `100 changes published in parallel have 100 numbers, and memory ends as the database does`() async throws {
        try catalog.make()
        let published = try await parallel(100, refusedWith: .revisionMismatch) { [catalog] number in
            try catalog.updateCode(key(), code: code(1, size: number + 1), expecting: nil, publish: true).0
        }
        #expect(Set(published.compactMap { $0?.version }).count == 100)
        #expect(Set(published.compactMap { $0?.revision }).count == 100)
        let entries = try catalog.versions(key(), after: nil, limit: 200).entries
        #expect(entries.count == 101)
        for entry in entries {
            let pinned = try catalog.pinned(key(), entry.version)
            #expect(pinned.revision == entry.revision && pinned.codeSize == entry.code.size)
        }
    }

    @Test func `readers beside a writer see a version whole, and never an older one after a newer one`() async throws {
        try catalog.make()
        try await withThrowingTaskGroup { group in
            group.addTask { [catalog] in
                for number in 1...50 {
                    _ = try catalog.updateSettings(key(), expecting: nil) {
                        $0.timeoutSeconds = number
                        $0.memoryMebibytes = 1000 + number
                    }
                    let seen = try catalog.pinned(key(), .latest)
                    #expect(seen.timeout == .seconds(number))
                }
            }
            group.addTask { [catalog] in
                var newest = Duration.zero
                for _ in 0..<5_000 {
                    let seen = try catalog.pinned(key(), .latest)
                    if seen.memory == .mebibytes(256) { continue }
                    #expect(seen.timeout >= newest)
                    #expect(seen.memory == .mebibytes(1000 + Int(seen.timeout.inSeconds)))
                    newest = seen.timeout
                }
            }
            try await group.waitForAll()
        }
    }
}
