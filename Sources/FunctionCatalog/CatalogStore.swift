import EngineCore
import Foundation
import GRDB

/// The database file: connections, durability, and the place where errors of SQLite become ``CatalogError``.
///
/// Write-ahead log with `synchronous=FULL`: a transaction that has answered is on the disk. Readers never wait for the writer.
struct CatalogStore: Sendable {
    private let pool: DatabasePool
    /// Whether ``write(_:committed:_:)`` rolls back what it did.
    private var isRehearsal = false

    /// The same database, in which nothing that is written stays.
    var rehearsing: CatalogStore {
        var store = self
        store.isRehearsal = true
        return store
    }

    /// Opens or makes the database and brings its tables up to date. Blocks. The caller holds the ``OpeningLock``.
    init(path: String, size: ByteCount) throws(CatalogError) {
        // SQLite gives its -wal and -shm files the permissions of the database file.
        try PrivateFile.makeIfMissing(path)
        for file in [path, path + "-wal", path + "-shm"] { try PrivateFile.restrict(file) }
        do {
            var configuration = Configuration()
            configuration.foreignKeysEnabled = true
            configuration.busyMode = .timeout(5)
            configuration.label = "catalog"
            pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in
                // GRDB sets NORMAL when it turns the write-ahead log on, so this comes after.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                let pageSize = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
                try db.execute(sql: "PRAGMA max_page_count = \(max(1, size.bytes / pageSize))")
            }
            try CatalogSchema.migrator.migrate(pool)
        } catch {
            throw .wrapping(error, "open the catalog \(path)")
        }
    }

    /// Runs `body` on a snapshot. Blocks on the disk.
    /// - Parameter action: what is being done, to follow "could not".
    func read<Result>(_ action: @autoclosure () -> String, _ body: (Database) throws -> Result) throws(CatalogError) -> Result {
        do {
            return try pool.read(body)
        } catch {
            throw .wrapping(error, action())
        }
    }

    /// Runs `body` as one durable transaction. Blocks on the disk and behind other writers. When it throws nothing was changed.
    /// - Parameter committed: called after the commit and before the next transaction of this process, so that what is kept in memory
    ///   follows the order of commits.
    func write<Result>(
        _ action: @autoclosure () -> String, committed: (Result) -> Void = { _ in }, _ body: (Database) throws -> Result
    ) throws(CatalogError) -> Result {
        do {
            return try pool.writeWithoutTransaction { db in
                var outcome: Result?
                try db.inTransaction(.immediate) {
                    outcome = try body(db)
                    return isRehearsal ? .rollback : .commit
                }
                guard let outcome else { preconditionFailure("A committed transaction has a result.") }
                committed(outcome)
                return outcome
            }
        } catch {
            throw .wrapping(error, action())
        }
    }
}
