import EngineCore
import GRDB

/// Every version in memory, for the warm path.
///
/// An object stays the same as long as its revision does, so that holders may compare identities. The index follows the database in the
/// order of commits: it changes only on the database's writer queue.
struct FunctionIndex: Sendable {
    typealias Versions = [FunctionVersion: PinnedVersion]

    private(set) var functions: [FunctionKey: Versions] = [:]
    /// Versions of all functions together.
    private(set) var versionCount = 0
    /// The state of the database that is held here.
    private(set) var generation: Int64 = 0

    /// What a transaction did to the index.
    enum Change: Sendable {
        case function(FunctionKey, Versions, generation: Int64)
        case everything([FunctionKey: Versions], generation: Int64)
    }

    mutating func apply(_ change: Change) {
        switch change {
        case .function(let key, let versions, let generation):
            versionCount += versions.count - (functions[key]?.count ?? 0)
            functions[key] = versions.isEmpty ? nil : versions
            self.generation = generation
        case .everything(let functions, let generation):
            self.functions = functions
            versionCount = functions.values.reduce(0) { $0 + $1.count }
            self.generation = generation
        }
    }

    /// The versions held here that are others, or no more, once `found` takes their place. O(all versions).
    func superseded(by found: [FunctionKey: Versions]) -> [PinnedVersion] {
        functions.flatMap { key, versions in versions.filter { found[key]?[$0.key] !== $0.value }.map(\.value) }
    }

    /// Reads from the database what has changed against this index. O(versions of the function), or O(all versions) for everything;
    /// only versions of new revisions are decoded.
    /// - Parameter key: the one function that changed, or `nil` if that is not known.
    func change(of key: FunctionKey?, rows: VersionRow, _ db: Database) throws -> Change {
        let generation = try Generation.functions.read(db)
        let condition = key == nil ? "" : " WHERE functions.account = ? AND functions.region = ? AND functions.name = ?"
        let arguments: StatementArguments = key.map { [$0.account.description, $0.region, $0.name] } ?? []
        let cursor = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT \(VersionRow.columns)\(condition)"), arguments: arguments)
        var found: [FunctionKey: Versions] = [:]
        while let row = try cursor.next() {
            let key = try key ?? VersionRow.key(row)
            let version = FunctionVersion(number: row["number"])
            if let known = functions[key]?[version], known.revision == row["revision"] {
                found[key, default: [:]][version] = known
            } else {
                found[key, default: [:]][version] = try rows.entry(row).pinned
            }
        }
        if let key { return .function(key, found[key] ?? [:], generation: generation) }
        return .everything(found, generation: generation)
    }
}
