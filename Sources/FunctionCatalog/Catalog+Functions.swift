public import EngineCore
import Foundation
import GRDB
import Synchronization

extension Catalog {
    /// Adds a function. Blocking.
    /// - Parameter publish: whether to publish it at once and answer that version: 1, or the number after the last one of a deleted
    ///   function of the same name, since numbers are never used twice.
    /// - Returns: `$LATEST`, or the published version.
    /// - Throws: `functionExists`, `accountNotFound`, `limitReached`.
    public func create(
        _ key: FunctionKey, settings: FunctionSettings, code: CodeReference, tags: [String: String], publish: Bool,
        revisions: ChangeRevisions = ChangeRevisions()
    ) throws(CatalogError) -> FunctionEntry {
        try change(key, "create the function \(key.name)") { db in
            let isolation = try Self.isolation(of: key.account, db)
            guard try FunctionRow.find(key, db) == nil else {
                throw CatalogError(.functionExists, "Function already exists: \(key.arn). Update it, or choose another name.")
            }
            let account = key.account.description
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM functions WHERE account = ?", arguments: [account])
            guard count ?? 0 < limits.functionsPerAccount else {
                throw CatalogError.limitReached("functionsPerAccount", limits.functionsPerAccount)
            }
            try checkVersionCount()
            let function = try FunctionRow.insert(key, tags: tags, db)
            let latest = try writeLatest(function, settings, code, isolation, revisions, db)
            return publish ? try publishLatest(latest, of: function, description: nil, revisions, db) : latest
        }
    }

    /// One version with everything the API tells about it. Blocking.
    /// - Throws: `functionNotFound`.
    public func entry(_ key: FunctionKey, _ version: FunctionVersion) throws(CatalogError) -> FunctionEntry {
        try store.read("read the function \(key.name)") { db in try entry(key, version, db) }
    }

    /// Blocking.
    /// - Throws: `functionNotFound`.
    public func tags(_ key: FunctionKey) throws(CatalogError) -> [String: String] {
        try store.read("read the tags of \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let tags = try String.fetchOne(db, sql: "SELECT tags FROM functions WHERE id = ?", arguments: [function.id])
            return try JSONDecoder().decode([String: String].self, from: Data((tags ?? "{}").utf8))
        }
    }

    /// Gives `$LATEST` other code, and a new revision even if the code is the same. Blocking.
    /// - Parameters:
    ///   - architecture: replaces the declared one; `nil`: it stays.
    ///   - revision: the revision `$LATEST` must have, or `nil` for any.
    ///   - publish: whether to publish at once and answer that version instead of `$LATEST`.
    /// - Returns: also the digests nothing refers to any more; see ``delete(_:version:)``.
    /// - Throws: `functionNotFound`, `revisionMismatch`, `changedMeanwhile`, `limitReached`.
    public func updateCode(
        _ key: FunctionKey, code: CodeReference, architecture: String? = nil, expecting revision: String?, publish: Bool,
        revisions: ChangeRevisions = ChangeRevisions()
    ) throws(CatalogError) -> (FunctionEntry, unreferenced: [ContentDigest]) {
        try change(key, "update the code of \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let old = try entry(key, .latest, db)
            try Self.check(old, has: revision)
            try revisions.check(old)
            var settings = old.settings
            settings.architecture = architecture ?? settings.architecture
            let latest = try writeLatest(function, settings, code, old.isolation, revisions, db)
            let answer = publish ? try publishLatest(latest, of: function, description: nil, revisions, db) : latest
            return (answer, unreferenced: try CodeUse.unreferenced(among: [old.code.digest], db))
        }
    }

    /// Changes what `$LATEST` declares, and gives it a new revision even if that is the same. Blocking.
    /// - Parameters:
    ///   - revision: the revision `$LATEST` must have, or `nil` for any.
    ///   - change: must not call the catalog: it runs inside the transaction.
    /// - Throws: `functionNotFound`, `revisionMismatch`, `changedMeanwhile`.
    public func updateSettings(
        _ key: FunctionKey, expecting revision: String?, revisions: ChangeRevisions = ChangeRevisions(),
        _ change: (inout FunctionSettings) -> Void
    ) throws(CatalogError) -> FunctionEntry {
        try self.change(key, "update the settings of \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let old = try entry(key, .latest, db)
            try Self.check(old, has: revision)
            try revisions.check(old)
            var settings = old.settings
            change(&settings)
            return try writeLatest(function, settings, old.code, old.isolation, revisions, db)
        }
    }

    /// Deletes one published version, or the function with all its versions. Blocking. Their numbers are never used again.
    /// - Parameter version: `nil` for everything.
    /// - Returns: the digests nothing refers to any more. Whoever removes their content asks ``unreferenced(among:)`` again while no new
    ///   function can be made with it.
    /// - Throws: `functionNotFound`, `latestNotDeletable`.
    public func delete(_ key: FunctionKey, version: FunctionVersion?) throws(CatalogError) -> [ContentDigest] {
        try change(key, "delete the function \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            var digests: Set<ContentDigest> = []
            switch version {
            case .latest:
                throw CatalogError(
                    .latestNotDeletable,
                    "$LATEST version cannot be deleted without deleting the function. Delete without a version.")
            case .published(let number):
                digests.insert(try entry(key, .published(number), db).code.digest)
                try db.execute(sql: "DELETE FROM versions WHERE function = ? AND number = ?", arguments: [function.id, number])
            case nil:
                let texts = try String.fetchAll(
                    db, sql: "SELECT DISTINCT code_digest FROM versions WHERE function = ?", arguments: [function.id])
                digests = Set(texts.compactMap { ContentDigest(hex: $0) })
                try function.delete(retiredNamesMax: limits.retiredNamesPerAccount, db)
            }
            return try CodeUse.unreferenced(among: digests, db)
        }
    }

    /// Those of `digests` that no version and no held version refers to now. Blocking.
    public func unreferenced(among digests: Set<ContentDigest>) throws(CatalogError) -> [ContentDigest] {
        try store.read("look for unused code") { db in try CodeUse.unreferenced(among: digests, db) }
    }

    /// What an invocation is pinned to: the same object until the version changes. O(1) in memory.
    /// - Throws: `functionNotFound`; `storeFailed` if changes of other processes cannot be looked for.
    public func pinned(_ key: FunctionKey, _ version: FunctionVersion) throws(CatalogError) -> PinnedVersion {
        try noticeOverdueChanges()
        guard let pinned = functions.withLock({ $0.functions[key]?[version] }) else { throw .functionNotFound(key, version) }
        return pinned
    }

    /// Whether new calls are pinned to this revision, as far as memory tells. O(1); does not block.
    public func isCurrent(_ version: PinnedVersion) -> Bool {
        functions.withLock { $0.functions[version.key]?[version.version]?.revision == version.revision }
    }

    /// The functions of a name, in the order of their ARNs, for an operator who does not say whose. O(functions) in memory.
    /// - Parameters:
    ///   - account: `nil` for those of every account.
    ///   - region: `nil` for those of every region.
    public func keys(named name: String, account: AccountID?, region: String?) throws(CatalogError) -> [FunctionKey] {
        try noticeOverdueChanges()
        let keys = functions.withLock { index in index.functions.keys.filter { $0.name == name } }
        return keys.filter { (account ?? $0.account) == $0.account && (region ?? $0.region) == $0.region }.sorted { $0.arn < $1.arn }
    }

    /// The versions of all functions, or of one, in no order. O(versions) in memory.
    public func allVersions(of key: FunctionKey? = nil) -> [PinnedVersion] {
        let functions = functions.withLock { $0.functions }
        if let key { return functions[key].map { Array($0.values) } ?? [] }
        return functions.values.flatMap(\.values)
    }

    /// Functions of all accounts. O(1) in memory.
    public func functionCount() -> Int { functions.withLock { $0.functions.count } }
}

extension Catalog {
    func entry(_ key: FunctionKey, _ version: FunctionVersion, _ db: Database) throws -> FunctionEntry {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT \(VersionRow.columns)
                    WHERE functions.account = ? AND functions.region = ? AND functions.name = ? AND versions.number = ?
                    """), arguments: [key.account.description, key.region, key.name, version.number])
        guard let row else { throw CatalogError.functionNotFound(key, version) }
        return try rows.entry(row)
    }

    /// - Throws: `limitReached` if the node keeps as many versions as it may.
    func checkVersionCount() throws(CatalogError) {
        guard functions.withLock({ $0.versionCount }) < limits.versions else { throw .limitReached("versions", limits.versions) }
    }

    static func check(_ latest: FunctionEntry, has revision: String?) throws(CatalogError) {
        guard let revision, revision != latest.revision else { return }
        throw CatalogError(
            .revisionMismatch,
            "\(latest.key.arn) has the revision \(latest.revision), not \(revision). Read the function again and repeat the change."
        )
    }

    private func writeLatest(
        _ function: FunctionRow, _ settings: FunctionSettings, _ code: CodeReference, _ isolation: SandboxPolicy.Isolation,
        _ revisions: ChangeRevisions, _ db: Database
    ) throws -> FunctionEntry {
        let latest = FunctionEntry(
            key: function.key, version: .latest, revision: revisions.latest, settings: settings, code: code,
            lastModified: Self.wallClock(), isolation: isolation)
        try rows.write(latest, function: function.id, db)
        return latest
    }
}
