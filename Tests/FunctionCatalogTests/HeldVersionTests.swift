import EngineCore
import FunctionCatalog
import Testing

@Suite struct HeldVersionTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func version(_ number: Int, of account: AccountID = alice, revision: String = "r") -> PinnedVersion {
        FunctionEntry(
            key: key(of: account), version: .published(number), revision: revision, settings: settings, code: code(number),
            lastModified: 0
        ).pinned
    }

    private func isHeld(_ number: Int, in catalog: Catalog) throws -> Bool {
        try catalog.held(key(), .published(number), revision: "r") != nil
    }

    @Test func `a held version is answered as the same object, and only for its revision`() throws {
        let catalog = try Catalog(directory: directory.path)
        let given = version(1)
        #expect(try catalog.hold(given) == [])
        try catalog.hold(version(1))
        let found = try #require(try catalog.held(key(), .published(1), revision: "r"))
        #expect(found === given)
        #expect(try catalog.held(key(), .published(1), revision: "other") == nil)
        #expect(try catalog.held(key(), .latest, revision: "r") == nil)
        #expect(try catalog.held(key(of: bob), .published(1), revision: "r") == nil)
    }

    @Test func `a held version is no function of this node`() throws {
        let catalog = try makeCatalog(directory)
        try catalog.hold(version(1))
        #expect(catalog.functionCount() == 0)
        #expect(try catalog.list(account: alice, region: "eu-west-1", allVersions: true, after: nil, limit: 10).entries == [])
        expectError(.functionNotFound) { try catalog.pinned(key(), .published(1)) }
    }

    @Test func `a held version is complete after a restart, and one object again`() throws {
        try Catalog(directory: directory.path).hold(version(1))
        let catalog = try Catalog(directory: directory.path)
        let found = try #require(try catalog.held(key(), .published(1), revision: "r"))
        #expect(found.environment == settings.environment && found.timeout == .seconds(7) && found.codeDigest == code(1).digest)
        #expect(found.memory == .mebibytes(256) && found.key == key() && found.version == .published(1))
        #expect(try catalog.held(key(), .published(1), revision: "r") === found)
    }

    @Test func `beyond the limit the least recently used go, and their code is named`() throws {
        var limits = CatalogLimits()
        limits.heldVersions = 3
        let catalog = try Catalog(directory: directory.path, limits: limits)
        for number in 1...3 { try catalog.hold(version(number)) }
        #expect(try isHeld(1, in: catalog))
        #expect(try catalog.hold(version(4)) == [code(2).digest])
        #expect(try !isHeld(2, in: catalog))
        #expect(try catalog.hold(version(5)) == [code(3).digest])
        #expect(try [1, 4, 5].allSatisfy { try isHeld($0, in: catalog) })

        let reopened = try Catalog(directory: directory.path, limits: limits)
        #expect(try [1, 4, 5].allSatisfy { try isHeld($0, in: reopened) })
        #expect(try isHeld(1, in: reopened))
        #expect(try reopened.hold(version(6)) == [code(4).digest])
    }

    @Test func `code that a dropped version shares with one that stays is not named`() throws {
        var limits = CatalogLimits()
        limits.heldVersions = 1
        let catalog = try Catalog(directory: directory.path, limits: limits)
        try catalog.hold(version(1))
        #expect(try catalog.hold(version(1, revision: "s")) == [])
        #expect(try catalog.held(key(), .published(1), revision: "r") == nil)
        #expect(try catalog.hold(version(2)) == [code(1).digest])
    }

    @Test func `PLACE-02 a released version is held no more, and its code is named when nothing else needs it`() throws {
        let catalog = try Catalog(directory: directory.path)
        try catalog.hold(version(1))
        try catalog.hold(version(1, revision: "s"))
        #expect(try catalog.heldVersions().map(\.revision).sorted() == ["r", "s"])
        #expect(try catalog.release(key(), .published(1), revision: "s") == [])
        #expect(try isHeld(1, in: catalog))
        #expect(try catalog.release(key(), .published(1), revision: "r") == [code(1).digest])
        #expect(try !isHeld(1, in: catalog))
        #expect(try catalog.release(key(), .published(1), revision: "r") == [])
        #expect(try Catalog(directory: directory.path).heldVersions() == [])
    }

    @Test func `PLACE-02 what nobody used or sent again for long is dropped, a few at a time, also after a restart`() throws {
        let start = Catalog.wallClock()
        let catalog = try Catalog(directory: directory.path)
        for number in 1...4 { try catalog.hold(version(number)) }
        // All were used just now.
        #expect(try catalog.releaseUnused(since: start + 50, limit: 9, now: start + 100).versions == [])
        #expect(try isHeld(1, in: catalog))
        try catalog.hold(version(2))
        let first = try catalog.releaseUnused(since: start + 150, limit: 1, now: start + 200)
        #expect(first.versions.count == 1 && first.unreferenced == first.versions.map(\.codeDigest))

        let reopened = try Catalog(directory: directory.path)
        let second = try reopened.releaseUnused(since: start + 150, limit: 9, now: start + 300)
        #expect(Set((first.versions + second.versions).map(\.codeDigest)) == [code(3).digest, code(4).digest])
        #expect(try [1, 2].allSatisfy { try isHeld($0, in: reopened) })
        #expect(try ![3, 4].contains { try isHeld($0, in: reopened) })
    }
}
