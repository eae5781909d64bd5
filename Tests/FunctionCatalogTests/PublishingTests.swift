import EngineCore
import FunctionCatalog
import Testing

@Suite struct PublishingTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    @Test func `creating with publish answers version 1 and leaves a $LATEST beside it`() throws {
        let first = try catalog.make(publish: true)
        #expect(first.version == .published(1))
        let latest = try catalog.entry(key(), .latest)
        #expect(latest.revision != first.revision)
        #expect(latest.settings == first.settings && latest.code == first.code)
    }

    @Test func `publishing an unchanged $LATEST answers the version there is`() throws {
        try catalog.make()
        let first = try catalog.publish()
        #expect(first.version == .published(1))
        #expect(try catalog.publish() == first)
        #expect(try catalog.updateCode(key(), code: code(1), expecting: nil, publish: true).0 == first)
        #expect(try catalog.updateSettings(key(), expecting: nil) { _ in }.settings == first.settings)
        #expect(try catalog.publish() == first)
        #expect(try catalog.versions(key(), after: nil, limit: 10).entries.count == 2)
    }

    @Test func `a changed setting, variable or code makes a new version, and going back makes another`() throws {
        try catalog.make(publish: true)
        _ = try catalog.updateSettings(key(), expecting: nil) { $0.timeoutSeconds = 8 }
        #expect(try catalog.publish().version == .published(2))
        _ = try catalog.updateSettings(key(), expecting: nil) { $0.environment["NEW"] = "1" }
        #expect(try catalog.publish().version == .published(3))
        #expect(try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true).0.version == .published(4))
        _ = try catalog.updateSettings(key(), expecting: nil) { $0 = settings }
        #expect(try catalog.updateCode(key(), code: code(1), expecting: nil, publish: true).0.version == .published(5))
    }

    @Test func `a description given at publishing is the version's alone and no change by itself`() throws {
        try catalog.make()
        let first = try catalog.publish(description: "release one")
        #expect(first.settings.description == "release one")
        #expect(try catalog.entry(key(), .latest).settings.description == "the first")
        #expect(try catalog.publish(description: "another text") == first)
        #expect(try catalog.publish() == first)
        _ = try catalog.updateSettings(key(), expecting: nil) { $0.description = "release one" }
        #expect(try catalog.publish().version == .published(2))
    }

    @Test func `publishing keeps the revision of $LATEST and is refused for other code than expected`() throws {
        let latest = try catalog.make()
        expectError(.codeDigestMismatch) {
            try catalog.publish(key(), description: nil, expecting: latest.revision, codeDigest: code(2).digest)
        }
        let first = try catalog.publish(key(), description: nil, expecting: latest.revision, codeDigest: code(1).digest)
        #expect(first.version == .published(1))
        #expect(try catalog.entry(key(), .latest) == latest)
    }

    @Test func `a published version never changes`() throws {
        let first = try catalog.make(publish: true)
        let pinned = try catalog.pinned(key(), .published(1))
        _ = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true)
        _ = try catalog.updateSettings(key(), expecting: nil) { $0.environment = [:] }
        #expect(try catalog.entry(key(), .published(1)) == first)
        #expect(try catalog.pinned(key(), .published(1)) === pinned)
    }

    @Test func `numbers are not used again after a version, or the function, was deleted`() throws {
        try catalog.make(publish: true)
        _ = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true)
        _ = try catalog.delete(key(), version: .published(2))
        #expect(try catalog.publish().version == .published(3))
        _ = try catalog.delete(key(), version: nil)
        expectError(.functionNotFound) { try catalog.pinned(key(), .published(3)) }
        #expect(try catalog.make(publish: true).version == .published(4))
        #expect(try catalog.make(key(of: bob), publish: true).version == .published(1))
    }

    @Test func `the numbers of the longest deleted names are forgotten first`() throws {
        var limits = CatalogLimits()
        limits.retiredNamesPerAccount = 2
        let catalog = try Catalog(directory: directory.path, limits: limits)
        for name in ["a", "b", "c"] {
            try catalog.make(key(name), publish: true)
            _ = try catalog.delete(key(name), version: nil)
        }
        #expect(try catalog.make(key("a"), publish: true).version == .published(1))
        #expect(try catalog.make(key("b"), publish: true).version == .published(2))
        #expect(try catalog.make(key("c"), publish: true).version == .published(2))
    }
}
