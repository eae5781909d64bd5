import GRDB

/// Counters in the database that triggers raise at every change of a table.
///
/// They do what `PRAGMA data_version` is for, noticing the commits of other processes, but say which table changed, so that holding a
/// version does not make the access keys be read again; and they are part of the snapshot they are read with, so that what was read
/// before a change is never remembered after it.
enum Generation: String {
    case accessKeys = "access_keys"
    case functions
    case capacity

    func read(_ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT value FROM generations WHERE subject = ?")
        guard let value = try Int64.fetchOne(statement, arguments: [rawValue]) else {
            throw CatalogError.damaged("no generation of \(rawValue)")
        }
        return value
    }
}
