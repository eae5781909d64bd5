import EngineCore
import GRDB

/// Which code anything in the catalog still needs.
enum CodeUse {
    /// Those of `digests` that no version and no held version refers to. O(log versions) for each.
    static func unreferenced(among digests: Set<ContentDigest>, _ db: Database) throws -> [ContentDigest] {
        let statement = try db.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM versions WHERE code_digest = ?1)
                    OR EXISTS (SELECT 1 FROM held_versions WHERE code_digest = ?1)
                """)
        return try digests.sorted { $0.hex < $1.hex }.filter { try Bool.fetchOne(statement, arguments: [$0.hex]) == false }
    }
}
