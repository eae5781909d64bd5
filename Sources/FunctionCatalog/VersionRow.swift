import EngineCore
import Foundation
import GRDB

/// Translates between rows of `versions` and ``FunctionEntry``.
struct VersionRow: Sendable {
    /// What ``entry(_:)`` reads, to follow SELECT; `versions` is joined to `functions` and those to `accounts`.
    static let columns = """
        functions.account, functions.region, functions.name, versions.number, versions.revision, versions.settings,
        versions.environment, versions.latest_description, versions.code_digest, versions.code_size, versions.modified,
        accounts.isolation
        FROM versions JOIN functions ON functions.id = versions.function JOIN accounts ON accounts.id = functions.account
        """

    let sealer: SecretSealer

    static func key(_ row: Row) throws(CatalogError) -> FunctionKey {
        let text: String = row["account"]
        guard let account = AccountID(text) else { throw .damaged("the account number \(text)") }
        return FunctionKey(account: account, region: row["region"], name: row["name"])
    }

    static func isolation(_ row: Row) throws(CatalogError) -> SandboxPolicy.Isolation {
        let text: String = row["isolation"]
        guard let isolation = SandboxPolicy.Isolation(rawValue: text) else { throw .damaged("the isolation \(text)") }
        return isolation
    }

    func entry(_ row: Row) throws -> FunctionEntry {
        let key = try Self.key(row)
        let version = FunctionVersion(number: row["number"])
        let revision: String = row["revision"]
        let digest: String = row["code_digest"]
        guard let digest = ContentDigest(hex: digest) else { throw CatalogError.damaged("the code digest \(digest)") }
        let isolation = try Self.isolation(row)
        let environment = try sealer.open(row["environment"], at: Self.place(key, version, revision))
        do {
            var settings = try JSONDecoder().decode(FunctionSettings.self, from: Data((row["settings"] as String).utf8))
            settings.environment = try JSONDecoder().decode([String: String].self, from: environment)
            return FunctionEntry(
                key: key, version: version, revision: revision, settings: settings,
                code: CodeReference(digest: digest, size: ByteCount(row["code_size"])), lastModified: row["modified"],
                isolation: isolation)
        } catch {
            throw CatalogError.damaged("settings of \(key.arn(qualifier: version.description))", cause: error)
        }
    }

    /// Writes the entry in place of the version of the same number, if there is one.
    /// - Parameter latestDescription: the description of `$LATEST` this version was published from.
    func write(_ entry: FunctionEntry, function: Int64, latestDescription: String = "", _ db: Database) throws {
        var settings = entry.settings
        settings.environment = [:]
        let environment = try sealer.seal(
            JSONEncoder().encode(entry.settings.environment), at: Self.place(entry.key, entry.version, entry.revision))
        try db.execute(
            sql: """
                INSERT INTO versions
                    (function, number, revision, settings, environment, latest_description, code_digest, code_size, modified)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET revision = excluded.revision, settings = excluded.settings, environment = excluded.environment,
                    latest_description = excluded.latest_description, code_digest = excluded.code_digest,
                    code_size = excluded.code_size, modified = excluded.modified
                """,
            arguments: [
                function, entry.version.number, entry.revision, String(decoding: try JSONEncoder().encode(settings), as: UTF8.self),
                environment, latestDescription, entry.code.digest.hex, entry.code.size.bytes, entry.lastModified,
            ])
    }

    /// What a sealed environment is bound to.
    private static func place(_ key: FunctionKey, _ version: FunctionVersion, _ revision: String) -> String {
        "environment of \(key.arn(qualifier: version.description)) revision \(revision)"
    }
}

extension FunctionVersion {
    /// The number in the database: 0 for `$LATEST`, so that it sorts before the published ones.
    var number: Int {
        switch self {
        case .latest: 0
        case .published(let number): number
        }
    }

    init(number: Int) { self = number == 0 ? .latest : .published(number) }
}
