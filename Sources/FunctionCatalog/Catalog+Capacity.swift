public import EngineCore
import Foundation
import GRDB
import Synchronization

/// What the node's capacity is given away by, and the permission of accounts.
extension Catalog {
    /// What the account may take of the node's capacity; the standard permission for one that is not here, such as a peer's.
    /// O(1) in memory. Changes of other processes are noticed with those of functions.
    public func permission(of account: AccountID) -> CapacityPermission {
        capacity.withLock { $0.permissions[account] } ?? .standard
    }

    /// Accounts whose permission in the database cannot be read: they may be given nothing until it is set anew. O(1) in memory.
    public var damagedPermissions: Set<AccountID> { capacity.withLock { $0.damaged } }

    /// How many calls of the function may run at one time; `nil` if its owner has reserved nothing, 0 if it is stopped.
    /// O(1) in memory. Changes of other processes are noticed with those of functions.
    public func reservedConcurrency(of key: FunctionKey) -> Int? {
        capacity.withLock { $0.reserved.isEmpty ? nil : $0.reserved[key] }
    }

    /// What is provisioned for versions of all functions, in no order. O(those versions) in memory.
    public func provisioned() -> [ProvisionedTarget] {
        let wanted = capacity.withLock { $0.provisioned }
        guard !wanted.isEmpty else { return [] }
        return functions.withLock { index in
            wanted.flatMap { key, versions in
                // A version that another process has just published is not here yet; it is told of when it is.
                versions.compactMap { version, count in
                    index.functions[key]?[version].map { ProvisionedTarget(pinned: $0, count: count) }
                }
            }
        }
    }

    /// Changes what an account may take. It holds for the next request that needs capacity. A permission that cannot be read gives way to
    /// the standard one first. Blocking.
    /// - Parameter change: must not call the catalog: it runs inside the transaction.
    /// - Returns: the permission as it is now.
    /// - Throws: `accountNotFound`.
    @discardableResult
    public func setPermission(
        account: AccountID, _ change: (inout CapacityPermission) -> Void
    ) throws(CatalogError) -> CapacityPermission {
        try changeCapacity("set the permission of account \(account)") { db in
            let row = try Row.fetchOne(
                db, sql: "SELECT id, permission FROM accounts WHERE id = ?", arguments: [account.description])
            guard let row else { throw CatalogError.accountNotFound(account) }
            var permission = CapacityIndex.readable(row) ?? .standard
            change(&permission)
            let text =
                permission == .standard ? nil : String(decoding: try JSONEncoder().encode(permission), as: UTF8.self)
            try db.execute(
                sql: "UPDATE accounts SET permission = ? WHERE id = ?", arguments: [text, account.description])
            return permission
        }
    }
}
