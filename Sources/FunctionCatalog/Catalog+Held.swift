public import EngineCore
import Foundation
import GRDB
import Synchronization

extension Catalog {
    /// Keeps a version another node has sent, so that its later calls need not carry it. Blocking, unless it is held already.
    ///
    /// If as many are held as permitted the least recently used go. The order of uses is written down only when something has to go: after
    /// a restart it is as old as the last such moment.
    /// - Returns: the digests nothing refers to any more; see ``delete(_:version:)``.
    @discardableResult
    public func hold(_ version: PinnedVersion) throws(CatalogError) -> [ContentDigest] {
        let identity = HeldVersionCache.Identity(key: version.key, version: version.version, revision: version.revision)
        guard held.withLock({ $0.use(identity) }) == nil else { return [] }
        let body: Data
        do {
            body = try sealer.seal(JSONEncoder().encode(version), at: Self.place(identity))
        } catch {
            throw .wrapping(error, "keep \(version.arn)")
        }
        let outcome = try store.write("keep \(version.arn)") { (outcome: Eviction) in
            held.withLock { cache in
                if let saved = outcome.savedUse { cache.saved(upTo: saved) }
                cache.drop(outcome.dropped.map { .init(key: $0.key, version: $0.version, revision: $0.revision) })
                _ = cache.remember(version, as: identity, used: cache.nextUse())
            }
        } _: { db in
            var eviction = try makeRoom(db)
            try db.execute(
                sql: """
                    INSERT INTO held_versions (account, region, name, number, revision, body, code_digest, used, used_at)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE
                    SET body = excluded.body, code_digest = excluded.code_digest, used = excluded.used, used_at = excluded.used_at
                    """,
                arguments: Self.arguments(identity)
                    + [body, version.codeDigest.hex, held.withLock { $0.nextUse() }, Self.wallClock()])
            eviction.unreferenced = try CodeUse.unreferenced(among: eviction.digests, db)
            return eviction
        }
        return outcome.unreferenced
    }

    /// A version another node has sent, or `nil` if it is not held (any more). O(1) in memory; the first time, and at each miss, one short
    /// read of the database.
    public func held(_ key: FunctionKey, _ version: FunctionVersion, revision: String) throws(CatalogError) -> PinnedVersion? {
        let identity = HeldVersionCache.Identity(key: key, version: version, revision: revision)
        let (known, drops) = held.withLock { ($0.use(identity), $0.drops) }
        if let known { return known }
        let body = try store.read("look up \(key.name)") { db in
            try Data.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT body FROM held_versions
                        WHERE account = ? AND region = ? AND name = ? AND number = ? AND revision = ?
                        """), arguments: Self.arguments(identity))
        }
        guard let body else { return nil }
        let found: PinnedVersion
        do {
            // A program of another age may have kept less than this one needs; then the sender supplies it again.
            found = try JSONDecoder().decode(PinnedVersion.self, from: sealer.open(body, at: Self.place(identity)))
        } catch is DecodingError {
            return nil
        } catch {
            throw .wrapping(error, "read the held version \(key.arn(qualifier: version.description))")
        }
        return held.withLock { cache in
            // It may have been dropped from the database after it was read; then this call is its last.
            guard cache.drops == drops else { return found }
            return cache.remember(found, as: identity, used: cache.nextUse())
        }
    }

    /// As ``held(_:_:revision:)`` as far as memory tells: `nil` also for one that is held and was not asked for lately. Does not block.
    public func heldInMemory(_ key: FunctionKey, _ version: FunctionVersion, revision: String) -> PinnedVersion? {
        held.withLock { $0.use(HeldVersionCache.Identity(key: key, version: version, revision: revision)) }
    }

    /// Drops a version another node has sent; what is not held is a success. Blocking.
    /// - Returns: the digests nothing refers to any more; see ``delete(_:version:)``.
    public func release(_ key: FunctionKey, _ version: FunctionVersion, revision: String) throws(CatalogError) -> [ContentDigest] {
        let identity = HeldVersionCache.Identity(key: key, version: version, revision: revision)
        return try store.write("release \(key.name)") { (_: [ContentDigest]) in
            held.withLock { $0.drop([identity]) }
        } _: { db in
            let digests = try String.fetchAll(
                db,
                sql: """
                    DELETE FROM held_versions WHERE account = ? AND region = ? AND name = ? AND number = ? AND revision = ?
                    RETURNING code_digest
                    """, arguments: Self.arguments(identity))
            return try CodeUse.unreferenced(among: Set(digests.compactMap { ContentDigest(hex: $0) }), db)
        }
    }

    /// Drops the versions that were neither used nor sent again since a moment, at most `limit`, those unused for longest first. A use is
    /// taken to be as late as the call of this that follows it. Blocking; O(uses since the last call + `limit`).
    ///
    /// - Parameters:
    ///   - since, now: seconds since 1970. Should the clock have been set forward, versions that are in use elsewhere are sent once more.
    /// - Returns: what was dropped, and the digests nothing refers to any more; see ``delete(_:version:)``.
    public func releaseUnused(
        since: Double, limit: Int, now: Double = Catalog.wallClock()
    ) throws(CatalogError) -> (versions: [HeldVersion], unreferenced: [ContentDigest]) {
        let outcome = try store.write("release unused versions") { (outcome: Eviction) in
            held.withLock { cache in
                if let saved = outcome.savedUse { cache.saved(upTo: saved) }
                cache.drop(outcome.dropped.map { .init(key: $0.key, version: $0.version, revision: $0.revision) })
            }
        } _: { db in
            var eviction = Eviction()
            try saveUses(&eviction, now: now, db)
            try drop(
                "rowid IN (SELECT rowid FROM held_versions WHERE used_at < ? ORDER BY used_at LIMIT ?)", [since, limit], &eviction, db)
            eviction.unreferenced = try CodeUse.unreferenced(among: eviction.digests, db)
            return eviction
        }
        return (outcome.dropped, outcome.unreferenced)
    }

    /// All versions other nodes have sent, with their code, the most recently used first as far as that was written down. Blocking;
    /// O(held versions).
    public func heldVersions() throws(CatalogError) -> [HeldVersion] {
        try store.read("list the held versions") { db in
            try Row.fetchAll(
                db, sql: "SELECT account, region, name, number, revision, code_digest FROM held_versions ORDER BY used DESC"
            ).compactMap { try Self.version($0) }
        }
    }

    private static func version(_ row: Row) throws -> HeldVersion? {
        guard let digest = ContentDigest(hex: row["code_digest"] as String) else { return nil }
        return HeldVersion(
            key: try VersionRow.key(row), version: FunctionVersion(number: row["number"]), revision: row["revision"], codeDigest: digest)
    }

    private struct Eviction {
        var dropped: [HeldVersion] = []
        var digests: Set<ContentDigest> { Set(dropped.map(\.codeDigest)) }
        /// The newest use that was written down.
        var savedUse: Int64?
        var unreferenced: [ContentDigest] = []
    }

    /// Drops the least recently used ones until one more fits.
    private func makeRoom(_ db: Database) throws -> Eviction {
        var eviction = Eviction()
        let excess = (try Int.fetchOne(db, sql: "SELECT count(*) FROM held_versions") ?? 0) + 1 - limits.heldVersions
        guard excess > 0 else { return eviction }
        try saveUses(&eviction, now: Self.wallClock(), db)
        try drop("rowid IN (SELECT rowid FROM held_versions ORDER BY used LIMIT ?)", [excess], &eviction, db)
        return eviction
    }

    /// Writes down which versions were used since that was done last.
    private func saveUses(_ eviction: inout Eviction, now: Double, _ db: Database) throws {
        let (uses, newest) = held.withLock { $0.unsavedUses() }
        let save = try db.cachedStatement(
            sql: """
                UPDATE held_versions SET used = ?6, used_at = ?7
                WHERE account = ?1 AND region = ?2 AND name = ?3 AND number = ?4 AND revision = ?5
                """)
        for (identity, use) in uses { try save.execute(arguments: Self.arguments(identity) + [use, now]) }
        eviction.savedUse = newest
    }

    private func drop(_ condition: String, _ arguments: StatementArguments, _ eviction: inout Eviction, _ db: Database) throws {
        let gone = try Row.fetchAll(
            db, sql: "DELETE FROM held_versions WHERE \(condition) RETURNING account, region, name, number, revision, code_digest",
            arguments: arguments)
        eviction.dropped += try gone.compactMap { try Self.version($0) }
    }

    private static func arguments(_ identity: HeldVersionCache.Identity) -> StatementArguments {
        [
            identity.key.account.description, identity.key.region, identity.key.name, identity.version.number, identity.revision,
        ]
    }

    /// What the sealed body is bound to.
    private static func place(_ identity: HeldVersionCache.Identity) -> String {
        "held version \(identity.key.arn(qualifier: identity.version.description)) revision \(identity.revision)"
    }
}
