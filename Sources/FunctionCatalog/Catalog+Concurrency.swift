public import EngineCore
import GRDB

/// AWS's words for capacity: what a function reserves is the most it runs at one time, and nobody else's; what is provisioned for a
/// version is initialised ahead.
extension Catalog {
    /// How many calls of an account may run at one time in a region, and how many of those no function has reserved or provisioned.
    /// What is provisioned for a function counts towards what is reserved for it, if anything is. Blocking; O(its functions).
    public func concurrency(of account: AccountID, region: String) throws(CatalogError) -> (limit: Int, unreserved: Int) {
        try store.read("add up the concurrency of account \(account)") { db in
            (limits.concurrency, try unreserved(account, region, besides: nil, db))
        }
    }

    /// Sets how many calls of a function may run at one time, which the account's other functions then do not have. Blocking.
    /// - Parameter count: at least 0, which stops the function; `nil` ends the reservation.
    /// - Throws: `functionNotFound`, `concurrencyRefused`.
    public func setReservedConcurrency(_ count: Int?, of key: FunctionKey) throws(CatalogError) {
        precondition(count ?? 0 >= 0, "A reservation is not negative.")
        try change(key, "reserve concurrency for \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            if let count { try checkReservation(count, function, db) }
            try db.execute(sql: "UPDATE functions SET reserved_concurrency = ? WHERE id = ?", arguments: [count, function.id])
        }
    }

    /// Sets how many containers of a version are initialised ahead. Blocking; O(the account's functions).
    /// - Parameter count: at least 1.
    /// - Throws: `functionNotFound`, `concurrencyRefused`, `limitReached`.
    @discardableResult
    public func setProvisionedConcurrency(
        _ count: Int, of key: FunctionKey, _ version: FunctionVersion
    ) throws(CatalogError) -> ProvisionedConcurrency {
        precondition(count >= 1, "To provision nothing, delete what is provisioned.")
        return try change(key, "provision concurrency for \(key.name)") { db in
            let function = try requirePublished(key, version, db)
            try checkProvision(count, function, version, db)
            let modified = Self.wallClock()
            try db.execute(
                sql: """
                    INSERT INTO provisioned_concurrency (function, number, count, modified) VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET count = excluded.count, modified = excluded.modified
                    """, arguments: [function.id, version.number, count, modified])
            return ProvisionedConcurrency(key: key, version: version, count: count, lastModified: modified)
        }
    }

    /// Ends what is provisioned for a version, if anything is. Blocking.
    /// - Throws: `functionNotFound`, `concurrencyRefused`.
    public func deleteProvisionedConcurrency(of key: FunctionKey, _ version: FunctionVersion) throws(CatalogError) {
        try change(key, "end the provisioned concurrency of \(key.name)") { db in
            let function = try requirePublished(key, version, db)
            try db.execute(
                sql: "DELETE FROM provisioned_concurrency WHERE function = ? AND number = ?",
                arguments: [function.id, version.number])
        }
    }

    /// What is provisioned for a version, `nil` if nothing is. Blocking.
    /// - Throws: `functionNotFound`, `concurrencyRefused`.
    public func provisionedConcurrency(
        of key: FunctionKey, _ version: FunctionVersion
    ) throws(CatalogError) -> ProvisionedConcurrency? {
        try store.read("read the provisioned concurrency of \(key.name)") { db in
            let function = try requirePublished(key, version, db)
            return try Row.fetchOne(
                db, sql: "SELECT number, count, modified FROM provisioned_concurrency WHERE function = ? AND number = ?",
                arguments: [function.id, version.number]
            ).map { Self.provisioned($0, key) }
        }
    }

    /// What is provisioned for the versions of a function, from the oldest version. Blocking; O(page).
    /// - Parameters:
    ///   - marker: where to go on: `next` of the page before, or `nil` for the first page.
    ///   - limit: entries of the page, at least 1.
    /// - Throws: `functionNotFound`, `markerInvalid`.
    public func provisionedConcurrency(
        of key: FunctionKey, after marker: String?, limit: Int
    ) throws(CatalogError) -> (entries: [ProvisionedConcurrency], next: String?) {
        precondition(limit >= 1, "A page has at least one entry.")
        var number = 0
        if let marker {
            guard case .version(let last) = try PageMarker(marker) else { throw PageMarker.otherList }
            number = last
        }
        return try store.read("list the provisioned concurrency of \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT number, count, modified FROM provisioned_concurrency
                    WHERE function = ? AND number > ? ORDER BY number LIMIT ?
                    """, arguments: [function.id, number, limit + 1])
            let page = rows.prefix(limit).map { Self.provisioned($0, key) }
            let next = rows.count > limit ? page.last.map { PageMarker.version(number: $0.version.number).text } : nil
            return (page, next)
        }
    }

    private static func provisioned(_ row: Row, _ key: FunctionKey) -> ProvisionedConcurrency {
        ProvisionedConcurrency(
            key: key, version: FunctionVersion(number: row["number"]), count: row["count"], lastModified: row["modified"])
    }
}

// MARK: - The rules

extension Catalog {
    /// The function, if it has this published version.
    private func requirePublished(_ key: FunctionKey, _ version: FunctionVersion, _ db: Database) throws -> FunctionRow {
        let function = try FunctionRow.require(key, db)
        guard version != .latest else { throw CatalogError.concurrency(.unpublished) }
        let exists = try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM versions WHERE function = ? AND number = ?)",
            arguments: [function.id, version.number])
        guard exists == true else { throw CatalogError.functionNotFound(key, version) }
        return function
    }

    private func checkReservation(_ count: Int, _ function: FunctionRow, _ db: Database) throws {
        // Stopping a function takes nothing from the others, and must always be possible.
        if count > 0 {
            let left = try unreserved(function.key.account, function.key.region, besides: function, db) - count
            guard left >= limits.unreservedConcurrencyMin else {
                throw CatalogError.concurrency(.reservedLeavesTooFew(minimum: limits.unreservedConcurrencyMin))
            }
        }
        let provisioned = try provisioned(function, besides: nil, db)
        guard provisioned <= count else {
            throw CatalogError.concurrency(.reservedBelowProvisioned(reserved: count, provisioned: provisioned))
        }
    }

    private func checkProvision(_ count: Int, _ function: FunctionRow, _ version: FunctionVersion, _ db: Database) throws {
        let others = try Int.fetchOne(
            db, sql: "SELECT count(*) FROM provisioned_concurrency WHERE NOT (function = ? AND number = ?)",
            arguments: [function.id, version.number])
        guard others ?? 0 < limits.provisionedVersions else {
            throw CatalogError.limitReached("provisionedVersions", limits.provisionedVersions)
        }
        let total = try provisioned(function, besides: version, db) + count
        let reserved = try Int.fetchOne(
            db, sql: "SELECT reserved_concurrency FROM functions WHERE id = ?", arguments: [function.id])
        if let reserved {
            guard total <= reserved else { throw CatalogError.concurrency(.provisionedAboveReserved) }
            return
        }
        let unreserved = try unreserved(function.key.account, function.key.region, besides: function, db)
        guard total <= unreserved else { throw CatalogError.concurrency(.provisionedAboveUnreserved(unreserved)) }
        guard unreserved - total >= limits.unreservedConcurrencyMin else {
            throw CatalogError.concurrency(.provisionedLeavesTooFew(minimum: limits.unreservedConcurrencyMin))
        }
    }

    /// What the account's functions, but one, leave of its concurrency in a region.
    private func unreserved(
        _ account: AccountID, _ region: String, besides function: FunctionRow?, _ db: Database
    ) throws -> Int {
        let claimed = try Int.fetchOne(
            db,
            sql: """
                SELECT sum(coalesce(reserved_concurrency,
                    (SELECT sum(count) FROM provisioned_concurrency WHERE function = functions.id), 0))
                FROM functions WHERE account = ? AND region = ? AND id <> ?
                """, arguments: [account.description, region, function?.id ?? -1])
        return limits.concurrency - (claimed ?? 0)
    }

    /// What is provisioned for the versions of a function, but one.
    private func provisioned(_ function: FunctionRow, besides version: FunctionVersion?, _ db: Database) throws -> Int {
        let total = try Int.fetchOne(
            db, sql: "SELECT sum(count) FROM provisioned_concurrency WHERE function = ? AND number <> ?",
            arguments: [function.id, version?.number ?? -1])
        return total ?? 0
    }
}
