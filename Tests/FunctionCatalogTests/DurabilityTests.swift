import EngineCore
import Foundation
@testable import FunctionCatalog
import GRDB
import Testing

@Suite struct DurabilityTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `everything acknowledged is there when the catalog is opened again`() throws {
        let (access, latest, first): (NewAccessKey, FunctionEntry, FunctionEntry)
        do {
            let catalog = try makeCatalog(directory)
            access = try catalog.createAccessKey(account: alice)
            first = try catalog.make(publish: true)
            latest = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: false).0
            try catalog.hold(latest.pinned)
        }
        let catalog = try Catalog(directory: directory.path)
        #expect(try catalog.accessKey(access.id)?.secret == access.secret)
        #expect(try catalog.entry(key(), .latest) == latest)
        #expect(try catalog.pinned(key(), .published(1)).revision == first.revision)
        #expect(try catalog.held(key(), .latest, revision: latest.revision)?.codeDigest == code(2).digest)
        #expect(try catalog.tags(key()) == ["team": "edge"])
        #expect(catalog.functionCount() == 1)
        #expect(try catalog.publish().version == .published(2))
    }

    @Test func `what is on the disk while the catalog is open is already complete, as after a crash`() throws {
        let catalog = try makeCatalog(directory)
        let access = try catalog.createAccessKey(account: alice)
        let made = try catalog.make()
        let crashed = try TemporaryDirectory()
        for name in try directory.names where !name.hasSuffix("-shm") {
            try FileManager.default.copyItem(atPath: directory.file(name), toPath: crashed.file(name))
        }
        let recovered = try Catalog(directory: crashed.path)
        #expect(try recovered.accessKey(access.id)?.secret == access.secret)
        #expect(try recovered.entry(key(), .latest) == made)
    }

    @Test func `a commit waits for the disk, and references are enforced`() throws {
        let catalog = try makeCatalog(directory)
        let pragmas = try catalog.store.write("read the settings") { db in
            try ["journal_mode", "synchronous", "foreign_keys"].map { try String.fetchOne(db, sql: "PRAGMA \($0)") }
        }
        #expect(pragmas == ["wal", "2", "1"])
    }

    @Test func `the catalog's files are readable by nobody else, also those made by others before`() throws {
        try Data().write(to: URL(filePath: directory.file("catalog.sqlite")))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: directory.file("catalog.sqlite"))
        let catalog = try makeCatalog(directory)
        try catalog.make()
        #expect(
            try directory.names == ["catalog.lock", "catalog.sqlite", "catalog.sqlite-shm", "catalog.sqlite-wal", "master.key"])
        for name in try directory.names { #expect(try directory.mode(name) == 0o600, "\(name)") }
        let below = directory.file("new/data")
        _ = try Catalog(directory: below)
        #expect(try directory.mode("new/data") == 0o700)
    }

    @Test func `a copy of the database reveals neither secrets nor environments`() throws {
        let catalog = try makeCatalog(directory)
        let access = try catalog.createAccessKey(account: alice)
        let made = try catalog.make(publish: true)
        try catalog.hold(made.pinned)
        // The names are not secret: finding them shows that the search does find what is there in the clear.
        #expect(try directory.holds(access.id))
        #expect(try directory.holds("app.handler"))
        #expect(try !directory.holds(access.secret))
        #expect(try !directory.holds("hunter2-in-the-clear"))
        #expect(try !directory.holds("PASSWORD"))
    }

    @Test func `without its master key a database with secrets is not opened, and no new key is made`() throws {
        _ = try makeCatalog(directory).createAccessKey(account: alice)
        let copy = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: directory.file("catalog.sqlite"), toPath: copy.file("catalog.sqlite"))
        expectError(.masterKey) { try Catalog(directory: copy.path) }
        #expect(try !copy.names.contains("master.key"))
        try FileManager.default.copyItem(atPath: directory.file("master.key"), toPath: copy.file("master.key"))
        #expect(try Catalog(directory: copy.path).accounts().first?.accessKeyIDs.count == 1)
    }

    @Test func `an environment alone needs the master key as well`() throws {
        try makeCatalog(directory).make()
        try FileManager.default.removeItem(atPath: directory.file("master.key"))
        expectError(.masterKey) { try Catalog(directory: directory.path) }
    }

    @Test(arguments: [0, 31, 33]) func `a master key of the wrong size is refused and kept`(size: Int) throws {
        let bytes = Data(repeating: 7, count: size)
        try bytes.write(to: URL(filePath: directory.file("master.key")))
        expectError(.masterKey) { try Catalog(directory: directory.path) }
        #expect(try Data(contentsOf: URL(filePath: directory.file("master.key"))) == bytes)
    }

    @Test func `another catalog's master key is refused at the start`() throws {
        _ = try makeCatalog(directory).createAccessKey(account: alice)
        try Data(repeating: 7, count: 32).write(to: URL(filePath: directory.file("master.key")))
        expectError(.masterKey) { try Catalog(directory: directory.path) }
    }

    @Test func `a sealed secret put into another row does not open`() throws {
        let catalog = try makeCatalog(directory)
        let hers = try catalog.createAccessKey(account: alice)
        let his = try catalog.createAccessKey(account: bob)
        let database = try DatabaseQueue(path: directory.file("catalog.sqlite"))
        try database.write {
            try $0.execute(
                sql: "UPDATE access_keys SET secret = (SELECT secret FROM access_keys WHERE id = ?) WHERE id = ?",
                arguments: [his.id, hers.id])
        }
        expectError(.masterKey) { try catalog.accessKey(hers.id) }
        #expect(try catalog.accessKey(his.id)?.secret == his.secret)
    }

    @Test func `a key is made by one start and read by all later ones`() throws {
        _ = try makeCatalog(directory)
        let made = try Data(contentsOf: URL(filePath: directory.file("master.key")))
        #expect(made.count == 32)
        _ = try Catalog(directory: directory.path)
        #expect(try Data(contentsOf: URL(filePath: directory.file("master.key"))) == made)
    }

    @Test func `a full database refuses the change, keeps everything, and goes on when there is room`() throws {
        var limits = CatalogLimits()
        limits.databaseSize = .kibibytes(256)
        let catalog = try makeCatalog(directory, limits: limits)
        let made = try catalog.make()
        let access = try catalog.createAccessKey(account: alice)
        let big = String(repeating: "x", count: 20_000)
        var written = 0
        var failure: CatalogError?
        while failure == nil, written < 100 {
            do throws(CatalogError) {
                _ = try catalog.create(
                    key("big\(written)"), settings: settings, code: code(3), tags: ["filler": big], publish: true)
                written += 1
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == .storeFull)
        #expect(written > 0 && catalog.functionCount() == written + 1)
        expectError(.functionNotFound) { try catalog.pinned(key("big\(written)"), .latest) }
        expectError(.functionNotFound) { try catalog.entry(key("big\(written)"), .latest) }
        #expect(try catalog.entry(key(), .latest) == made)
        #expect(try catalog.accessKey(access.id)?.secret == access.secret)

        _ = try catalog.delete(key("big0"), version: nil)
        _ = try catalog.updateSettings(key(), expecting: made.revision) { $0.handler = "after.all" }
        #expect(try Catalog(directory: directory.path).pinned(key(), .latest).handler == "after.all")
    }

    @Test func `a file that is no database, and a folder that is no folder, are named`() throws {
        try Data(repeating: 7, count: 4096).write(to: URL(filePath: directory.file("catalog.sqlite")))
        expectError(.storeFailed) { try Catalog(directory: directory.path) }
        expectError(.storeFailed) { try Catalog(directory: directory.file("catalog.sqlite")) }
        expectError(.storeFailed) { try Catalog(directory: directory.file("catalog.sqlite/below")) }
    }

    @Test func `a damaged row is named and does not end the process`() throws {
        let catalog = try makeCatalog(directory)
        try catalog.make()
        let database = try DatabaseQueue(path: directory.file("catalog.sqlite"))
        try database.write { try $0.execute(sql: "UPDATE versions SET settings = '{}'") }
        expectError(.storeFailed) { try catalog.entry(key(), .latest) }
        try database.write { try $0.execute(sql: "UPDATE versions SET code_digest = 'short'") }
        expectError(.storeFailed) { try catalog.entry(key(), .latest) }
        expectError(.storeFailed) { try Catalog(directory: directory.path) }
    }
}
