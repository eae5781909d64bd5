import EngineCore
import FunctionCatalog
import Testing

@Suite struct FunctionTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    @Test func `a created function is read back as it was given`() throws {
        let made = try catalog.make()
        #expect(made.version == .latest)
        #expect(made.settings == settings)
        #expect(made.code == code(1))
        #expect(made.revision == made.revision.lowercased() && made.revision.split(separator: "-").count == 5)
        #expect(made.lastModified > 1_700_000_000)
        #expect(try catalog.entry(key(), .latest) == made)
        #expect(try catalog.tags(key()) == ["team": "edge"])
        #expect(catalog.functionCount() == 1)
    }

    @Test func `what an invocation is pinned to carries every setting`() throws {
        let made = try catalog.make()
        let pinned = try catalog.pinned(key(), .latest)
        #expect(pinned.key == key() && pinned.version == .latest && pinned.revision == made.revision)
        #expect(pinned.runtime == "python3.13" && pinned.handler == "app.handler")
        #expect(pinned.memory == .mebibytes(256) && pinned.temporaryStorage == .mebibytes(600))
        #expect(pinned.timeout == .seconds(7) && pinned.environment == settings.environment)
        #expect(pinned.codeDigest == code(1).digest && pinned.codeSize == code(1).size)
    }

    @Test func `the pinned object stays the same until its own version changes`() throws {
        try catalog.make(publish: true)
        try catalog.make(key("other"))
        let latest = try catalog.pinned(key(), .latest)
        let first = try catalog.pinned(key(), .published(1))
        _ = try catalog.updateCode(key("other"), code: code(3), expecting: nil, publish: true)
        #expect(try catalog.pinned(key(), .latest) === latest)

        let updated = try catalog.updateSettings(key(), expecting: nil) { $0.memoryMebibytes = 512 }
        let changed = try catalog.pinned(key(), .latest)
        #expect(changed !== latest)
        #expect(changed.memory == .mebibytes(512) && changed.revision == updated.revision)
        #expect(try catalog.pinned(key(), .published(1)) === first)
    }

    @Test func `every update gives a new revision, and a stale expectation is refused without a change`() throws {
        let made = try catalog.make()
        let (coded, _) = try catalog.updateCode(key(), code: code(2), expecting: made.revision, publish: false)
        #expect(coded.revision != made.revision && coded.code == code(2) && coded.settings == settings)
        expectError(.revisionMismatch) {
            try catalog.updateCode(key(), code: code(3), expecting: made.revision, publish: true)
        }
        expectError(.revisionMismatch) {
            try catalog.updateSettings(key(), expecting: made.revision) { $0.handler = "lost.update" }
        }
        expectError(.revisionMismatch) {
            try catalog.publish(key(), description: nil, expecting: made.revision, codeDigest: nil)
        }
        #expect(try catalog.entry(key(), .latest) == coded)
        let same = try catalog.updateSettings(key(), expecting: coded.revision) { _ in }
        #expect(same.revision != coded.revision)
    }

    @Test func `a name is taken once per account and region`() throws {
        try catalog.make()
        expectError(.functionExists) { try catalog.make() }
        try catalog.make(key(in: "us-east-1"))
        try catalog.make(key(of: bob))
        #expect(catalog.functionCount() == 3)
    }

    @Test func `what does not exist is named as not found`() throws {
        expectError(.functionNotFound) { try catalog.entry(key(), .latest) }
        expectError(.functionNotFound) { try catalog.pinned(key(), .latest) }
        expectError(.functionNotFound) { try catalog.tags(key()) }
        expectError(.functionNotFound) { try catalog.updateCode(key(), code: code(1), expecting: nil, publish: false) }
        expectError(.functionNotFound) { try catalog.updateSettings(key(), expecting: nil) { _ in } }
        expectError(.functionNotFound) { try catalog.publish() }
        expectError(.functionNotFound) { try catalog.delete(key(), version: nil) }
        expectError(.functionNotFound) { try catalog.versions(key(), after: nil, limit: 10) }
        try catalog.make()
        expectError(.functionNotFound) { try catalog.entry(key(), .published(1)) }
        expectError(.functionNotFound) { try catalog.pinned(key(), .published(1)) }
        expectError(.functionNotFound) { try catalog.delete(key(), version: .published(1)) }
        expectError(.accountNotFound) { try catalog.make(key(of: AccountID("999999999999") ?? impossible())) }
    }

    @Test func `WHOLE-01 accounts do not see, change or list each other's functions`() throws {
        let hers = try catalog.make()
        let his = try catalog.make(key(of: bob), code: code(2))
        _ = try catalog.updateSettings(key(of: bob), expecting: nil) { $0.environment = ["WHO": "bob"] }
        #expect(try catalog.entry(key(), .latest) == hers)
        #expect(try catalog.pinned(key(), .latest).environment == settings.environment)
        #expect(try catalog.list(account: alice, region: "eu-west-1", allVersions: true, after: nil, limit: 10).entries == [hers])
        _ = try catalog.delete(key(of: bob), version: nil)
        #expect(try catalog.pinned(key(), .latest).revision == hers.revision)
        #expect(his.key.account == bob)
        expectError(.functionNotFound) { try catalog.pinned(key(of: bob), .latest) }
    }

    @Test func `the version $LATEST cannot be deleted alone`() throws {
        let made = try catalog.make(publish: true)
        expectError(.latestNotDeletable) { try catalog.delete(key(), version: .latest) }
        #expect(try catalog.pinned(key(), made.version).revision == made.revision)
    }

    @Test func `deleting answers the code nothing refers to any more`() throws {
        try catalog.make(code: code(1), publish: true)
        #expect(try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true).unreferenced == [])
        #expect(try catalog.updateCode(key(), code: code(3), expecting: nil, publish: false).unreferenced == [])
        #expect(try catalog.updateCode(key(), code: code(4), expecting: nil, publish: false).unreferenced == [code(3).digest])
        try catalog.make(key("other"), code: code(2))
        try catalog.hold(catalog.pinned(key(), .latest))

        #expect(try catalog.unreferenced(among: [code(1).digest, code(9).digest]) == [code(9).digest])
        #expect(try catalog.delete(key(), version: .published(1)) == [code(1).digest])
        // Version 2 is also the other function's code, and $LATEST is held.
        #expect(try catalog.delete(key(), version: nil) == [])
        #expect(try catalog.delete(key("other"), version: nil) == [code(2).digest])
        #expect(catalog.functionCount() == 0)
        #expect(try catalog.unreferenced(among: [code(4).digest]) == [])
    }

    @Test func `a full account, function or node says which limit it has reached`() throws {
        var limits = CatalogLimits()
        limits.functionsPerAccount = 2
        limits.versionsPerFunction = 2
        limits.versions = 4
        let directory = try TemporaryDirectory()
        let catalog = try makeCatalog(directory, limits: limits)
        try catalog.make(publish: true)
        expectError(.limitReached) { try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true) }
        #expect(try catalog.entry(key(), .latest).code == code(1))
        try catalog.make(key("second"))
        expectError(.limitReached) { try catalog.make(key("third")) }
        try catalog.make(key(of: bob))
        expectError(.limitReached) { try catalog.make(key("second", of: bob)) }
        expectError(.limitReached) { try catalog.publish(key(of: bob)) }
        _ = try catalog.delete(key("second"), version: nil)
        #expect(try catalog.publish(key(of: bob)).version == .published(1))
    }
}
