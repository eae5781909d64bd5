public import EngineCore
import GRDB

extension Catalog {
    /// The functions of an account in a region, ordered by name. Blocking; O(page).
    /// - Parameters:
    ///   - allVersions: whether to list every version, `$LATEST` before the published ones of a name, or `$LATEST` alone.
    ///   - marker: where to go on: `next` of the page before, or `nil` for the first page.
    ///   - limit: entries of the page, at least 1.
    /// - Returns: the page, and the marker of the next one unless this is the last.
    /// - Throws: `markerInvalid`.
    public func list(
        account: AccountID, region: String, allVersions: Bool, after marker: String?, limit: Int
    ) throws(CatalogError) -> (entries: [FunctionEntry], next: String?) {
        var (name, number) = ("", -1)
        if let marker {
            guard case .function(let lastName, let lastNumber) = try PageMarker(marker) else { throw PageMarker.otherList }
            (name, number) = (lastName, lastNumber)
        }
        return try store.read("list the functions of \(account)") { db in
            // The name is compared twice, because the index serves the plain comparison only.
            let entries = try page(
                """
                WHERE functions.account = ? AND functions.region = ? AND functions.name >= ?
                    AND (functions.name, versions.number) > (?, ?) \(allVersions ? "" : "AND versions.number = 0")
                ORDER BY functions.name, versions.number LIMIT ?
                """, [account.description, region, name, name, number], limit, db)
            return Self.cut(entries, at: limit) { .function(name: $0.key.name, number: $0.version.number) }
        }
    }

    /// The versions of a function: `$LATEST`, then the published ones from the oldest. Blocking; O(page).
    /// - Parameters:
    ///   - marker: where to go on: `next` of the page before, or `nil` for the first page.
    ///   - limit: entries of the page, at least 1.
    /// - Throws: `functionNotFound`, `markerInvalid`.
    public func versions(
        _ key: FunctionKey, after marker: String?, limit: Int
    ) throws(CatalogError) -> (entries: [FunctionEntry], next: String?) {
        var number = -1
        if let marker {
            guard case .version(let last) = try PageMarker(marker) else { throw PageMarker.otherList }
            number = last
        }
        return try store.read("list the versions of \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let entries = try page(
                "WHERE versions.function = ? AND versions.number > ? ORDER BY versions.number LIMIT ?", [function.id, number],
                limit, db)
            return Self.cut(entries, at: limit) { .version(number: $0.version.number) }
        }
    }

    /// Up to `limit` entries and one more, which tells that there is a next page.
    private func page(_ condition: String, _ arguments: StatementArguments, _ limit: Int, _ db: Database) throws -> [FunctionEntry]
    {
        precondition(limit >= 1, "A page has at least one entry.")
        return try Row.fetchAll(db, sql: "SELECT \(VersionRow.columns) \(condition)", arguments: arguments + [limit + 1])
            .map { try rows.entry($0) }
    }

    private static func cut(
        _ entries: [FunctionEntry], at limit: Int, _ marker: (FunctionEntry) -> PageMarker
    ) -> (entries: [FunctionEntry], next: String?) {
        guard entries.count > limit else { return (entries, nil) }
        let page = Array(entries.prefix(limit))
        return (page, page.last.map { marker($0).text })
    }
}
