public import EngineCore
import GRDB

extension Catalog {
    /// Makes an unchangeable version of `$LATEST`; if that has the code and the settings it had when the last version was published,
    /// answers the last version instead. Blocking.
    /// - Parameters:
    ///   - description: replaces the description in the version, not in `$LATEST`, and is no change by itself.
    ///   - revision: the revision `$LATEST` must have, or `nil` for any.
    ///   - codeDigest: the code `$LATEST` must have, or `nil` for any.
    /// - Throws: `functionNotFound`, `revisionMismatch`, `changedMeanwhile`, `codeDigestMismatch`, `limitReached`.
    public func publish(
        _ key: FunctionKey, description: String?, expecting revision: String?, codeDigest: ContentDigest?,
        revisions: ChangeRevisions = ChangeRevisions()
    ) throws(CatalogError) -> FunctionEntry {
        try change(key, "publish \(key.name)") { db in
            let function = try FunctionRow.require(key, db)
            let latest = try entry(key, .latest, db)
            try Self.check(latest, has: revision)
            try revisions.check(latest)
            if let codeDigest, codeDigest != latest.code.digest {
                throw CatalogError(
                    .codeDigestMismatch,
                    "\(key.arn) has the code \(latest.code.digest), not \(codeDigest). Read the function again and repeat the request."
                )
            }
            return try publishLatest(latest, of: function, description: description, revisions, db)
        }
    }

    /// Publishes `latest`, or answers the last version if nothing has changed since.
    func publishLatest(
        _ latest: FunctionEntry, of function: FunctionRow, description: String?, _ revisions: ChangeRevisions, _ db: Database
    ) throws -> FunctionEntry {
        if let last = try lastVersion(of: function, ifPublishedFrom: latest, db) { return last }
        let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM versions WHERE function = ?", arguments: [function.id]) ?? 0
        guard count < limits.versionsPerFunction else {
            throw CatalogError.limitReached("versionsPerFunction", limits.versionsPerFunction)
        }
        try checkVersionCount()
        var settings = latest.settings
        settings.description = description ?? settings.description
        let version = FunctionEntry(
            key: latest.key, version: .published(function.nextVersion), revision: revisions.published, settings: settings,
            code: latest.code, lastModified: Self.wallClock(), isolation: latest.isolation)
        try rows.write(version, function: function.id, latestDescription: latest.settings.description, db)
        try function.setNextVersion(function.nextVersion + 1, db)
        return version
    }

    /// The version published last, unless it was deleted or `latest` has other code or settings than it was published from.
    private func lastVersion(
        of function: FunctionRow, ifPublishedFrom latest: FunctionEntry, _ db: Database
    ) throws -> FunctionEntry? {
        let row = try Row.fetchOne(
            db, sql: "SELECT \(VersionRow.columns) WHERE versions.function = ? AND versions.number = ?",
            arguments: [function.id, function.nextVersion - 1])
        // A function without published versions begins at number 1, and number 0 is $LATEST itself.
        guard function.nextVersion > 1, let row else { return nil }
        let last = try rows.entry(row)
        var publishedFrom = last.settings
        publishedFrom.description = row["latest_description"]
        return last.code == latest.code && publishedFrom == latest.settings ? last : nil
    }
}
