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
    /// Of these, those whose permission cannot be read.
    private(set) var damaged: Set<AccountID> = []
    private(set) var reserved: [FunctionKey: Int] = [:]
    private(set) var provisioned: [FunctionKey: [FunctionVersion: Int]] = [:]
    /// The state of the database that is held here.
    let generation: Int64

    init(_ db: Database) throws {
        generation = try Generation.capacity.read(db)
        for row in try Row.fetchAll(db, sql: "SELECT id, permission FROM accounts WHERE permission IS NOT NULL") {
            let text: String = row["id"]
            guard let id = AccountID(text) else { throw CatalogError.damaged("the account number \(text)") }
            permissions[id] = Self.permission(row)
            if Self.readable(row) == nil { damaged.insert(id) }
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

    /// What accounts may take now that they might not before, or the other way round.
    func permissionsChanged(since before: CapacityIndex) -> [AccountID: CapacityPermission] {
        var changed = permissions.filter { before.permissions[$0.key] != $0.value }
        for account in before.permissions.keys where permissions[account] == nil { changed[account] = .standard }
        return changed
    }

    /// An account whose permission cannot be read keeps what it holds and gets nothing more, and everybody else is served.
    ///
    /// - Parameter row: of `accounts`.
    static func permission(_ row: Row) -> CapacityPermission { readable(row) ?? CapacityPermission(mayGrow: false) }

    /// - Returns: `nil` if it cannot be read.
    static func readable(_ row: Row) -> CapacityPermission? {
        guard let text: String = row["permission"] else { return .standard }
        return try? JSONDecoder().decode(CapacityPermission.self, from: Data(text.utf8))
    }
}
