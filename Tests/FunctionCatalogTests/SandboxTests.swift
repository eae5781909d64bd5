import EngineCore
import Foundation
@testable import FunctionCatalog
import GRDB
import Synchronization
import Testing

/// What a function's sandbox is told, from the owner and the account to the pinned version.
@Suite struct SandboxTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    private static let egress = ["api.example.com:443", "192.0.2.0/24:5432"]

    @Test func `a function is told nothing unless its owner says so`() throws {
        try catalog.make()
        #expect(try catalog.pinned(key(), .latest).sandbox == SandboxPolicy())
    }

    @Test func `egress and system calls reach the pinned version under a new revision and are published with it`() throws {
        let made = try catalog.make(publish: true)
        let changed = try catalog.updateSettings(key(), expecting: nil) {
            $0.egress = Self.egress
            $0.systemCalls = ["read", "write"]
        }
        #expect(changed.revision != made.revision)
        let pinned = try catalog.pinned(key(), .latest)
        #expect(pinned.revision == changed.revision)
        #expect(pinned.sandbox.egress.entries == Self.egress)
        #expect(pinned.sandbox.systemCalls == ["read", "write"])
        #expect(try catalog.publish().version == .published(2))
        _ = try catalog.updateSettings(key(), expecting: nil) {
            $0.egress = []
            $0.systemCalls = nil
        }
        #expect(try catalog.pinned(key(), .latest).sandbox == SandboxPolicy())
        #expect(try Catalog(directory: directory.path).pinned(key(), .published(2)).sandbox == pinned.sandbox)
        #expect(try catalog.pinned(key(), .published(1)).sandbox == SandboxPolicy())
        #expect(try catalog.publish().version == .published(3))
    }

    @Test func `an entry that is no longer accepted permits nothing, and what is left of the list neither`() throws {
        try catalog.make()
        let entry = try catalog.updateSettings(key(), expecting: nil) { $0.egress = ["api.example.com:443", "not an entry"] }
        #expect(entry.sandbox.egress.isNone)
        #expect(entry.settings.egress.count == 2)
    }

    @Test func `the isolation of an account gives all its versions new revisions and changes nothing else of them`() throws {
        try catalog.make(publish: true)
        try catalog.make(key("other"))
        try catalog.make(key(of: bob))
        let versions: [(FunctionKey, FunctionVersion)] = [(key(), .latest), (key(), .published(1)), (key("other"), .latest)]
        let before = try versions.map { try catalog.entry($0.0, $0.1) }
        let bobs = try catalog.pinned(key(of: bob), .latest)
        let changed = try catalog.setIsolation(.exec, account: alice)
        #expect(Set(changed.map(\.revision)) == Set(try versions.map { try catalog.entry($0.0, $0.1).revision }))
        #expect(try catalog.accounts().map(\.isolation) == [.exec, .shared])
        for (old, (key, version)) in zip(before, versions) {
            let new = try catalog.entry(key, version)
            #expect(new.revision != old.revision)
            #expect(new.isolation == .exec && old.isolation == .shared)
            #expect(new.settings == old.settings && new.code == old.code && new.lastModified == old.lastModified)
            let pinned = try catalog.pinned(key, version)
            #expect(pinned.revision == new.revision && pinned.sandbox.isolation == .exec)
            #expect(pinned.environment == settings.environment)
        }
        #expect(try catalog.pinned(key(of: bob), .latest) === bobs)
        // Nothing was changed that a version is published for.
        #expect(try catalog.publish().version == .published(1))
        #expect(try catalog.make(key("later")).pinned.sandbox.isolation == .exec)
    }

    @Test func `setting the isolation that holds already replaces nothing`() throws {
        try catalog.make()
        let pinned = try catalog.pinned(key(), .latest)
        #expect(try catalog.setIsolation(.shared, account: alice).isEmpty)
        #expect(try catalog.pinned(key(), .latest) === pinned)
        expectError(.accountNotFound) { try catalog.setIsolation(.exec, account: AccountID("999999999999") ?? impossible()) }
    }

    @Test func `what the other process or an account's isolation supersedes is told, so that its containers go`() throws {
        let told = Told()
        let daemon = try Catalog(directory: directory.path, onSuperseded: told.add)
        try daemon.make(publish: true)
        try daemon.make(key("gone"))
        try daemon.make(key(of: bob))
        #expect(told.revisions.isEmpty)
        let mine = try [FunctionVersion.latest, .published(1)].map { try daemon.pinned(key(), $0).revision }
        let gone = try daemon.pinned(key("gone"), .latest).revision
        try catalog.setIsolation(.exec, account: alice)
        _ = try catalog.delete(key("gone"), version: nil)
        try daemon.noticeChanges()
        #expect(try daemon.pinned(key(), .latest).sandbox.isolation == .exec)
        #expect(Set(told.revisions) == Set(mine + [gone]) && told.revisions.count == 3)
        try daemon.setIsolation(.shared, account: alice)
        #expect(told.revisions.count == 5)
    }

    @Test func `a catalog of an earlier program has the defaults, and a version it held is asked for again`() throws {
        let made = try catalog.make()
        try catalog.hold(made.pinned)
        let place = "held version \(key().arn(qualifier: "$LATEST")) revision \(made.revision)"
        var document = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(made.pinned)) as? [String: Any])
        document["sandbox"] = nil
        let body = try catalog.sealer.seal(JSONSerialization.data(withJSONObject: document), at: place)
        _ = try catalog.store.write("go back to the first schema") { db in
            try db.execute(sql: "UPDATE versions SET settings = json_remove(settings, '$.egress', '$.systemCalls')")
            try db.execute(sql: "UPDATE held_versions SET body = ?", arguments: [body])
            try db.execute(sql: "ALTER TABLE accounts DROP COLUMN isolation")
            try db.execute(sql: "DROP TABLE provisioned_concurrency; DROP INDEX functions_with_reserved_concurrency")
            for trigger in ["permission_changed", "reserved_concurrency_changed", "reserved_concurrency_deleted"] {
                try db.execute(sql: "DROP TRIGGER \(trigger)")
            }
            try db.execute(sql: "ALTER TABLE accounts DROP COLUMN permission; ALTER TABLE functions DROP COLUMN reserved_concurrency")
            try db.execute(sql: "DROP INDEX held_versions_by_time; ALTER TABLE held_versions DROP COLUMN used_at")
            try db.execute(sql: "DELETE FROM generations WHERE subject = 'capacity'")
            try db.execute(sql: "DELETE FROM grdb_migrations WHERE identifier IN ('2', '3', '4')")
        }
        let later = try Catalog(directory: directory.path)
        #expect(try later.entry(key(), .latest) == made)
        #expect(try later.accounts().map(\.isolation) == [.shared, .shared])
        #expect(try later.accounts().map(\.permission) == [.standard, .standard])
        #expect(later.reservedConcurrency(of: key()) == nil && later.provisioned().isEmpty)
        #expect(try later.held(key(), .latest, revision: made.revision) == nil)
        try later.hold(made.pinned)
        #expect(try later.held(key(), .latest, revision: made.revision)?.sandbox == SandboxPolicy())
    }

    @Test func `functions of one name are found for who does not say whose`() throws {
        for key in [key(), key(of: bob), key(in: "us-east-1"), key("other")] { try catalog.make(key) }
        let all = [key(), key(of: bob), key(in: "us-east-1")].sorted { $0.arn < $1.arn }
        #expect(try catalog.keys(named: "hello", account: nil, region: nil) == all)
        #expect(try catalog.keys(named: "hello", account: alice, region: "us-east-1") == [key(in: "us-east-1")])
        #expect(try catalog.keys(named: "hell", account: nil, region: nil).isEmpty)
    }

    private final class Told: Sendable {
        private let versions = Mutex<[String]>([])
        var revisions: [String] { versions.withLock { $0 } }
        var add: @Sendable ([PinnedVersion]) -> Void { { new in self.versions.withLock { $0 += new.map(\.revision) } } }
    }
}
