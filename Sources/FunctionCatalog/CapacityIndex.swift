import EngineCore
import Foundation
import GRDB

/// In memory: what accounts may take of the node's capacity, and what is reserved and provisioned for functions.
///
/// Few rows of the database say anything of it, so it is read anew as a whole when one of them has changed: O(those rows). Like the
/// ``FunctionIndex`` it changes on the database's writer queue alone.
struct CapacityIndex: Sendable {
    /// Of the accounts whose permission is not the standard one.
    private(set) var permissions: [AccountID: CapacityPermission] = [:]
    private(set) var reserved: [FunctionKey: Int] = [:]
    private(set) var provisioned: [FunctionKey: [FunctionVersion: Int]] = [:]
    /// The state of the database that is held here.
    let generation: Int64

    init(_ db: Database) throws {
        generation = try Generation.capacity.read(db)
        for row in try Row.fetchAll(db, sql: "SELECT id, permission FROM accounts WHERE permission IS NOT NULL") {
            let text: String = row["id"]
            guard let id = AccountID(text) else { throw CatalogError.damaged("the account number \(text)") }
            permissions[id] = try Self.permission(row)
        }
        let functions = "SELECT account, region, name, reserved_concurrency FROM functions WHERE reserved_concurrency IS NOT NULL"
        for row in try Row.fetchAll(db, sql: functions) { reserved[try VersionRow.key(row)] = row["reserved_concurrency"] }
        let versions = """
            SELECT account, region, name, number, count FROM provisioned_concurrency
            JOIN functions ON functions.id = provisioned_concurrency.function
            """
        for row in try Row.fetchAll(db, sql: versions) {
            provisioned[try VersionRow.key(row), default: [:]][FunctionVersion(number: row["number"])] = row["count"]
        }
    }

    /// - Parameter row: of `accounts`.
    static func permission(_ row: Row) throws -> CapacityPermission {
        guard let text: String = row["permission"] else { return .standard }
        do {
            return try JSONDecoder().decode(CapacityPermission.self, from: Data(text.utf8))
        } catch {
            throw CatalogError.damaged("the permission of account \(row["id"] as String)", cause: error)
        }
    }
}
