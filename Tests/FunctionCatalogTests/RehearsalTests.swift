import EngineCore
import FunctionCatalog
import Testing

@Suite struct RehearsalTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    @Test func `PLACE-09 what is rehearsed is not there, and has the revisions it then gets`() throws {
        let revisions = ChangeRevisions()
        let rehearsed = try catalog.rehearse(revisions) { (catalog) throws(CatalogError) in
            try catalog.create(key(), settings: settings, code: code(1), tags: [:], publish: true, revisions: revisions)
        }
        #expect(rehearsed.map(\.version) == [.latest, .published(1)])
        expectError(.functionNotFound) { try catalog.pinned(key(), .latest) }
        expectError(.functionNotFound) { try catalog.entry(key(), .latest) }
        #expect(catalog.functionCount() == 0)

        _ = try catalog.create(key(), settings: settings, code: code(1), tags: [:], publish: true, revisions: revisions)
        for version in rehearsed {
            let made = try catalog.pinned(key(), version.version)
            #expect(made.revision == version.revision && made.codeDigest == version.codeDigest && made.memory == version.memory)
        }
    }

    @Test func `a rehearsed update answers what it would make, and no number is used up`() throws {
        try catalog.make(publish: true)
        let before = try catalog.pinned(key(), .latest)
        for _ in 0..<3 {
            var revisions = ChangeRevisions()
            revisions.base = before.revision
            let rehearsed = try catalog.rehearse(revisions) { (catalog) throws(CatalogError) in
                try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true, revisions: revisions).0
            }
            #expect(rehearsed.map(\.version) == [.latest, .published(2)])
            #expect(rehearsed.allSatisfy { $0.codeDigest == code(2).digest })
        }
        #expect(try catalog.pinned(key(), .latest) === before)
        #expect(try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true).0.version == .published(2))
    }

    @Test func `publishing what is published answers that version in the rehearsal, too`() throws {
        try catalog.make(publish: true)
        let revisions = ChangeRevisions()
        let rehearsed = try catalog.rehearse(revisions) { (catalog) throws(CatalogError) in
            try catalog.publish(key(), description: nil, expecting: nil, codeDigest: nil, revisions: revisions)
        }
        #expect(rehearsed.map(\.revision) == [try catalog.pinned(key(), .published(1)).revision])
    }

    @Test func `a change is not made when something else was changed since its rehearsal`() throws {
        try catalog.make()
        var revisions = ChangeRevisions()
        revisions.base = try catalog.pinned(key(), .latest).revision
        _ = try catalog.updateSettings(key(), expecting: nil) { $0.memoryMebibytes = 512 }
        expectError(.changedMeanwhile) { try catalog.updateSettings(key(), expecting: nil, revisions: revisions) { _ in } }
        expectError(.changedMeanwhile) {
            try catalog.updateCode(key(), code: code(2), expecting: nil, publish: false, revisions: revisions)
        }
        expectError(.changedMeanwhile) {
            try catalog.publish(key(), description: nil, expecting: nil, codeDigest: nil, revisions: revisions)
        }
        #expect(try catalog.pinned(key(), .latest).codeDigest == code(1).digest)
    }
}
