import EngineCore
import Foundation
import GRDB

/// A row of `functions`: what all versions of a function share.
struct FunctionRow {
    let id: Int64
    let key: FunctionKey
    /// The number the next published version gets.
    let nextVersion: Int

    /// - Returns: `nil` if there is no such function.
    static func find(_ key: FunctionKey, _ db: Database) throws -> FunctionRow? {
        try Row.fetchOne(
            db, sql: "SELECT id, next_version FROM functions WHERE account = ? AND region = ? AND name = ?",
            arguments: [key.account.description, key.region, key.name]
        ).map { FunctionRow(id: $0["id"], key: key, nextVersion: $0["next_version"]) }
    }

    /// - Throws: ``CatalogError/Code/functionNotFound``.
    static func require(_ key: FunctionKey, _ db: Database) throws -> FunctionRow {
        guard let function = try find(key, db) else { throw CatalogError.functionNotFound(key) }
        return function
    }

    /// Adds the function, its numbers going on after those of a deleted one of the same name.
    static func insert(_ key: FunctionKey, tags: [String: String], _ db: Database) throws -> FunctionRow {
        let identity: StatementArguments = [key.account.description, key.region, key.name]
        let nextVersion =
            try Int.fetchOne(
                db, sql: "DELETE FROM retired_names WHERE account = ? AND region = ? AND name = ? RETURNING next_version",
                arguments: identity) ?? 1
        let tags = String(decoding: try JSONEncoder().encode(tags), as: UTF8.self)
        try db.execute(
            sql: "INSERT INTO functions (account, region, name, next_version, tags) VALUES (?, ?, ?, ?, ?)",
            arguments: identity + [nextVersion, tags])
        return FunctionRow(id: db.lastInsertedRowID, key: key, nextVersion: nextVersion)
    }

    func setNextVersion(_ number: Int, _ db: Database) throws {
        try db.execute(sql: "UPDATE functions SET next_version = ? WHERE id = ?", arguments: [number, id])
    }

    /// Deletes the function with its versions and remembers where their numbers ended.
    /// - Parameter retiredNamesMax: names remembered for the account; the longest deleted are forgotten.
    func delete(retiredNamesMax: Int, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM functions WHERE id = ?", arguments: [id])
        guard nextVersion > 1 else { return }
        let account = key.account.description
        try db.execute(
            sql: "INSERT INTO retired_names (account, region, name, next_version) VALUES (?, ?, ?, ?)",
            arguments: [account, key.region, key.name, nextVersion])
        try db.execute(
            sql: """
                DELETE FROM retired_names WHERE account = ?1 AND id <= (
                    SELECT id FROM retired_names WHERE account = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, arguments: [account, retiredNamesMax])
    }
}
