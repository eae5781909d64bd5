import EngineCore
import Foundation
import FunctionCatalog
import GRDB
import Testing

/// The daemon and the command line on one directory, played by two catalogs. They share nothing but the files.
@Suite struct SharedCatalogTests {
    let directory: TemporaryDirectory
    let clock = ManualClock()
    let daemon: Catalog
    let commandLine: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        daemon = try makeCatalog(directory, clock: clock)
        commandLine = try Catalog(directory: directory.path)
    }

    @Test func `a new access key is good at once`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        #expect(try daemon.accessKey(key.id)?.secret == key.secret)
    }

    @Test func `a deleted access key is refused when changes are noticed`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        #expect(try daemon.accessKey(key.id) != nil)
        try commandLine.deleteAccessKey(key.id, account: alice)
        // It may still be known, since looking costs; this says that lookups do come from memory.
        #expect(try daemon.accessKey(key.id) != nil)
        try daemon.noticeChanges()
        #expect(try daemon.accessKey(key.id) == nil)
    }

    @Test func `a deleted access key is refused even if nobody calls for changes to be noticed`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        #expect(try daemon.accessKey(key.id) != nil)
        try commandLine.deleteAccessKey(key.id, account: alice)
        clock.advance(by: Catalog.unnoticedMax - .nanoseconds(1))
        #expect(try daemon.accessKey(key.id) != nil)
        clock.advance(by: .nanoseconds(1))
        #expect(try daemon.accessKey(key.id) == nil)
    }

    @Test func `look-ups do not read as long as changes are noticed in time`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        #expect(try daemon.accessKey(key.id) != nil)
        for _ in 0..<3 {
            clock.advance(by: Catalog.changeInterval)
            try daemon.noticeChanges()
        }
        try commandLine.deleteAccessKey(key.id, account: alice)
        clock.advance(by: Catalog.changeInterval)
        #expect(try daemon.accessKey(key.id) != nil, "known, because the look-up has not read")
        try daemon.noticeChanges()
        #expect(try daemon.accessKey(key.id) == nil)
    }

    @Test func `an access key that was asked for before it existed becomes good when changes are noticed`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        let database = try DatabaseQueue(path: directory.file("catalog.sqlite"))
        let secret = try database.read { try Data.fetchOne($0, sql: "SELECT secret FROM access_keys") }
        try commandLine.deleteAccessKey(key.id, account: alice)
        try daemon.noticeChanges()
        #expect(try daemon.accessKey(key.id) == nil)
        try database.write {
            try $0.execute(
                sql: "INSERT INTO access_keys (id, account, secret, created) VALUES (?, ?, ?, 0)",
                arguments: [key.id, alice.description, secret])
        }
        #expect(try daemon.accessKey(key.id) == nil)
        try daemon.noticeChanges()
        #expect(try daemon.accessKey(key.id)?.secret == key.secret)
    }

    @Test func `a change of this process does not hide one of the other`() throws {
        let key = try commandLine.createAccessKey(account: alice)
        #expect(try daemon.accessKey(key.id) != nil)
        try commandLine.deleteAccessKey(key.id, account: alice)
        _ = try daemon.createAccessKey(account: bob)
        #expect(try daemon.accessKey(key.id) == nil)
    }

    @Test func `new accounts are seen`() throws {
        let carol = AccountID("333333333333") ?? impossible()
        try commandLine.createAccount(carol, name: "Carol")
        #expect(try daemon.accounts().map(\.id) == [alice, bob, carol])
        expectError(.accountExists) { try daemon.createAccount(carol, name: "Carol") }
    }

    @Test func `functions changed by the other process are taken over when changes are noticed`() throws {
        try daemon.make(key("stays"), publish: true)
        let stays = try daemon.pinned(key("stays"), .published(1))
        try daemon.make(key("goes"))
        let made = try commandLine.make(key("comes"))
        _ = try commandLine.delete(key("goes"), version: nil)
        try daemon.noticeChanges()
        #expect(try daemon.pinned(key("comes"), .latest).revision == made.revision)
        expectError(.functionNotFound) { try daemon.pinned(key("goes"), .latest) }
        #expect(try daemon.pinned(key("stays"), .published(1)) === stays)
        #expect(daemon.functionCount() == 2)
    }

    @Test func `a change of this process takes over what the other did before it`() throws {
        let made = try commandLine.make(key("comes"))
        try daemon.make(key("mine"))
        #expect(try daemon.pinned(key("comes"), .latest).revision == made.revision)
        #expect(try daemon.pinned(key("mine"), .latest).key.name == "mine")
    }

    @Test func `the revision decides between processes, too`() throws {
        let made = try daemon.make()
        let theirs = try commandLine.updateSettings(key(), expecting: made.revision) { $0.handler = "theirs" }
        expectError(.revisionMismatch) { try daemon.updateSettings(key(), expecting: made.revision) { $0.handler = "ours" } }
        #expect(try daemon.entry(key(), .latest) == theirs)
    }

    @Test func `catalogs that open one new directory at the same time agree on the master key`() async throws {
        let directory = try TemporaryDirectory()
        try await withThrowingTaskGroup { group in
            for number in 0..<8 {
                group.addTask {
                    let account = AccountID("10000000000\(number)") ?? impossible()
                    let catalog = try Catalog(directory: directory.path)
                    try catalog.createAccount(account, name: "\(number)")
                    return try catalog.createAccessKey(account: account)
                }
            }
            var keys: [NewAccessKey] = []
            for try await key in group { keys.append(key) }
            let catalog = try Catalog(directory: directory.path)
            #expect(keys.count == 8)
            for key in keys { #expect(try catalog.accessKey(key.id)?.secret == key.secret) }
        }
    }
}
