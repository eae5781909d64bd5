public import EngineCore
import Foundation
import GRDB
import Synchronization

extension Catalog {
    /// Adds an account without access keys. Blocking.
    /// - Throws: `accountExists`, `limitReached`.
    public func createAccount(_ id: AccountID, name: String) throws(CatalogError) {
        _ = try store.write("create the account \(id)") { db in
            guard try !Self.isAccount(id, db) else {
                throw CatalogError(.accountExists, "There is an account \(id) already. Choose another number.")
            }
            guard try Int.fetchOne(db, sql: "SELECT count(*) FROM accounts") ?? 0 < limits.accounts else {
                throw CatalogError.limitReached("accounts", limits.accounts)
            }
            try db.execute(
                sql: "INSERT INTO accounts (id, name, created) VALUES (?, ?, ?)",
                arguments: [id.description, name, Self.wallClock()])
        }
    }

    /// All accounts in the order of their numbers. Blocking; O(accounts).
    public func accounts() throws(CatalogError) -> [Account] {
        try store.read("list the accounts") { db in
            var keys: [String: [String]] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT account, id FROM access_keys ORDER BY created, id") {
                keys[row["account"], default: []].append(row["id"])
            }
            return try Row.fetchAll(db, sql: "SELECT \(Self.accountColumns) FROM accounts ORDER BY id").map { row in
                try Self.account(row, keys: keys[row["id"]] ?? [])
            }
        }
    }

    /// One account. Blocking.
    /// - Throws: `accountNotFound`.
    public func account(_ id: AccountID) throws(CatalogError) -> Account {
        try store.read("read the account \(id)") { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT \(Self.accountColumns) FROM accounts WHERE id = ?", arguments: [id.description])
            guard let row else { throw CatalogError.accountNotFound(id) }
            let keys = try String.fetchAll(
                db, sql: "SELECT id FROM access_keys WHERE account = ? ORDER BY created, id", arguments: [id.description])
            return try Self.account(row, keys: keys)
        }
    }

    private static let accountColumns = "id, name, created, isolation, permission"

    private static func account(_ row: Row, keys: [String]) throws -> Account {
        let text: String = row["id"]
        guard let id = AccountID(text) else { throw CatalogError.damaged("the account number \(text)") }
        return Account(
            id: id, name: row["name"], accessKeyIDs: keys, created: row["created"], isolation: try VersionRow.isolation(row),
            permission: CapacityIndex.permission(row))
    }

    /// Changes how the containers of all functions of an account are started. Blocking; O(versions of the account).
    ///
    /// What runs was started the other way, so every version gets a new revision in the same transaction: the containers of the old ones
    /// finish their calls and take no more. Nothing else of a version changes. Setting what holds already changes nothing.
    /// - Returns: the versions that were changed.
    /// - Throws: `accountNotFound`.
    @discardableResult
    public func setIsolation(_ isolation: SandboxPolicy.Isolation, account: AccountID) throws(CatalogError) -> [FunctionEntry] {
        try changeAll("set the isolation of account \(account)") { db in
            guard try Self.isolation(of: account, db) != isolation else { return [] }
            try db.execute(
                sql: "UPDATE accounts SET isolation = ? WHERE id = ?", arguments: [isolation.rawValue, account.description])
            let versions = try Row.fetchAll(
                db, sql: "SELECT versions.function, versions.latest_description, \(VersionRow.columns) WHERE functions.account = ?",
                arguments: [account.description])
            return try versions.map { row in
                let entry = try rows.entry(row)
                let renewed = FunctionEntry(
                    key: entry.key, version: entry.version, revision: Self.newRevision(), settings: entry.settings, code: entry.code,
                    lastModified: entry.lastModified, isolation: isolation)
                try rows.write(renewed, function: row["function"], latestDescription: row["latest_description"], db)
                return renewed
            }
        }
    }

    /// Gives an account one more access key. Blocking. The secret is in the answer and can be shown at no later time.
    /// - Throws: `accountNotFound`, `limitReached`.
    public func createAccessKey(account: AccountID) throws(CatalogError) -> NewAccessKey {
        let key = NewAccessKey(account: account)
        let secret = try sealer.seal(
            Data(key.secret.utf8), at: Self.secretPlace(id: key.id, account: account.description))
        try changeAccessKeys("create an access key of account \(account)") { db in
            guard try Self.isAccount(account, db) else { throw CatalogError.accountNotFound(account) }
            let count = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM access_keys WHERE account = ?", arguments: [account.description])
            guard count ?? 0 < limits.accessKeysPerAccount else {
                throw CatalogError.limitReached("accessKeysPerAccount", limits.accessKeysPerAccount)
            }
            try db.execute(
                sql: "INSERT INTO access_keys (id, account, secret, created) VALUES (?, ?, ?, ?)",
                arguments: [key.id, account.description, secret, Self.wallClock()])
        }
        return key
    }

    /// Takes an access key away. When this returns no request signed with it is accepted here any more; in other processes on the same
    /// database after ``unnoticedMax`` at the latest. Blocking.
    /// - Throws: `accessKeyNotFound`, also for a key of another account.
    public func deleteAccessKey(_ id: String, account: AccountID) throws(CatalogError) {
        try changeAccessKeys("delete the access key \(id)") { db in
            try db.execute(sql: "DELETE FROM access_keys WHERE id = ? AND account = ?", arguments: [id, account.description])
            guard db.changesCount == 1 else {
                throw CatalogError(.accessKeyNotFound, "Account \(account) has no access key \(id). List the account's keys.")
            }
        }
    }

    /// The secret and the owner of an access key, or `nil` if there is no such key. O(1) in memory; the first time a key, or a string
    /// that could be one, is asked for, one short read of the database.
    /// - Throws: `masterKey`, `storeFailed`.
    public func accessKey(_ id: String) throws(CatalogError) -> (secret: String, account: AccountID)? {
        guard NewAccessKey.isWellFormed(id) else { return nil }
        try noticeOverdueChanges()
        switch accessKeys.withLock({ $0.answer(id) }) {
        case .known(let key): return (key.secret, key.account)
        case .absent: return nil
        case .notCached: break
        }
        let (key, generation) = try store.read("look up the access key \(id)") { db in
            (try readAccessKey(id, db), try Generation.accessKeys.read(db))
        }
        accessKeys.withLock { $0.remember(id, key, generation: generation) }
        return key.map { ($0.secret, $0.account) }
    }

    private func readAccessKey(_ id: String, _ db: Database) throws -> AccessKeyCache.Key? {
        let statement = try db.cachedStatement(sql: "SELECT account, secret FROM access_keys WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else { return nil }
        let account: String = row["account"]
        guard let owner = AccountID(account) else { throw CatalogError.damaged("the account number \(account)") }
        let secret = try sealer.open(row["secret"], at: Self.secretPlace(id: id, account: account))
        return AccessKeyCache.Key(secret: String(decoding: secret, as: UTF8.self), account: owner)
    }

    private func changeAccessKeys(_ action: @autoclosure () -> String, _ body: (Database) throws -> Void) throws(CatalogError) {
        _ = try store.write(action()) { generation in
            accessKeys.withLock { $0.advance(to: generation) }
        } _: { db in
            try body(db)
            return try Generation.accessKeys.read(db)
        }
    }

    /// - Throws: `accountNotFound`.
    static func isolation(of account: AccountID, _ db: Database) throws -> SandboxPolicy.Isolation {
        let row = try Row.fetchOne(db, sql: "SELECT isolation FROM accounts WHERE id = ?", arguments: [account.description])
        guard let row else { throw CatalogError.accountNotFound(account) }
        return try VersionRow.isolation(row)
    }

    static func isAccount(_ id: AccountID, _ db: Database) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?)", arguments: [id.description]) ?? false
    }
}
