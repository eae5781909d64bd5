public import EngineCore
import Foundation
import GRDB
import Synchronization

/// The functions, versions, accounts and access keys of this node, and the versions it holds for other nodes.
///
/// Everything lies in one SQLite database, `catalog.sqlite`; a change has answered only when it is on the disk. In memory lie the
/// pinned versions, access keys and held versions that invocations ask for. The command line may write to the same database from
/// another process: what it changes is noticed at the next use, at most ``changeInterval`` later.
///
/// Secrets of access keys and the environments of functions are sealed under a key of their own file, `master.key`, so a copy of the
/// database alone reveals none of them. Back up both files, apart from each other; the database cannot be opened without the key.
///
/// All methods are synchronous. Those called *blocking* wait for the disk (or for another writer, at most five seconds) and do not
/// belong on an event loop; the others touch memory alone, but for one short read per ``changeInterval``.
public final class Catalog: Sendable {
    /// How long a change by another process may stay unnoticed.
    public static let changeInterval: Duration = .seconds(1)

    let limits: CatalogLimits
    let store: CatalogStore
    let sealer: SecretSealer
    let functions: Mutex<FunctionIndex>
    let accessKeys: Mutex<AccessKeyCache>
    let held: Mutex<HeldVersionCache>
    private let clock: @Sendable () -> EngineInstant
    private let onSuperseded: @Sendable ([PinnedVersion]) -> Void
    /// When the generations were last compared, in nanoseconds of `clock`.
    private let comparedAt: Atomic<Int64>

    var rows: VersionRow { VersionRow(sealer: sealer) }

    /// Opens the catalog of a data directory, making what is missing: the folder (0700), the database and the master key (0600).
    /// Blocking; O(versions).
    /// - Parameters:
    ///   - clock: when changes of other processes are looked for.
    ///   - onSuperseded: told of versions that are others or no more because of another process or of ``setIsolation(_:account:)``, so
    ///     that their containers can be replaced. Must not call the catalog.
    /// - Throws: `masterKey`, `storeFull`, `storeFailed`.
    public init(
        directory: String, limits: CatalogLimits = .init(), clock: @escaping @Sendable () -> EngineInstant = { .now() },
        onSuperseded: @escaping @Sendable ([PinnedVersion]) -> Void = { _ in }
    ) throws(CatalogError) {
        try PrivateFile.makeDirectory(directory)
        let (store, sealer) = try OpeningLock.held(in: directory) { () throws(CatalogError) -> (CatalogStore, SecretSealer) in
            let store = try CatalogStore(path: directory + "/catalog.sqlite", size: limits.databaseSize)
            let isNeeded = try store.read("look for secrets in the catalog") { db in
                try Bool.fetchOne(
                    db,
                    sql: "SELECT EXISTS (SELECT 1 FROM access_keys) OR EXISTS (SELECT 1 FROM versions) OR EXISTS "
                        + "(SELECT 1 FROM held_versions)") ?? false
            }
            let key = try MasterKeyFile(path: directory + "/master.key").load(isNeeded: isNeeded)
            return (store, SecretSealer(key: key))
        }
        let (index, newestUse) = try store.read("read the catalog") { db in
            try Self.checkMasterKey(sealer, db)
            var index = FunctionIndex()
            index.apply(try index.change(of: nil, rows: VersionRow(sealer: sealer), db))
            return (index, try Int64.fetchOne(db, sql: "SELECT max(used) FROM held_versions") ?? 0)
        }
        self.limits = limits
        self.store = store
        self.sealer = sealer
        functions = Mutex(index)
        accessKeys = Mutex(AccessKeyCache(unknownMax: limits.unknownAccessKeys))
        held = Mutex(HeldVersionCache(newestUse: newestUse))
        self.clock = clock
        self.onSuperseded = onSuperseded
        comparedAt = Atomic(clock().nanoseconds)
    }

    /// Opens one sealed secret, so that a wrong master key is found at the start and not by the first caller.
    private static func checkMasterKey(_ sealer: SecretSealer, _ db: Database) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT id, account, secret FROM access_keys LIMIT 1") else { return }
        _ = try sealer.open(row["secret"], at: secretPlace(id: row["id"], account: row["account"]))
    }

    /// What a sealed secret is bound to.
    static func secretPlace(id: String, account: String) -> String { "secret of access key \(id) of account \(account)" }

    /// Seconds since 1970, for people: nothing is decided by it.
    static func wallClock() -> Double { Date().timeIntervalSince1970 }

    static func newRevision() -> String { UUID().uuidString.lowercased() }

    /// Looks, once per ``changeInterval``, whether another process has changed something, and forgets what is out of date. One caller
    /// looks; the others go on with what is known. If looking fails the next caller tries again, so that a deleted key never stays valid.
    func noticeChanges() throws(CatalogError) {
        let now = clock()
        let last = comparedAt.load(ordering: .relaxed)
        guard now - EngineInstant(nanoseconds: last) >= Self.changeInterval,
            comparedAt.compareExchange(expected: last, desired: now.nanoseconds, ordering: .relaxed).exchanged
        else { return }
        do {
            let (keys, functions) = try store.read("look for changes in the catalog") { db in
                (try Generation.accessKeys.read(db), try Generation.functions.read(db))
            }
            accessKeys.withLock { $0.advance(to: keys) }
            // A change of this process that commits in between raises both numbers; then there is nothing to do.
            if functions > self.functions.withLock({ $0.generation }) { try reloadFunctions() }
        } catch {
            comparedAt.store(last, ordering: .relaxed)
            throw error
        }
    }

    /// Takes over what another process did to functions; on the writer queue, so that no change of this process falls in between.
    private func reloadFunctions() throws(CatalogError) { _ = try changeAll("read the changed functions") { _ in () } }

    /// Runs one transaction that may change any function, then brings the index up to date. O(all versions).
    func changeAll<Result>(_ action: @autoclosure () -> String, _ body: (Database) throws -> Result) throws(CatalogError) -> Result {
        try store.write(action()) { apply($0.1) } _: { db -> (Result, FunctionIndex.Change) in
            let result = try body(db)
            return (result, try functions.withLock({ $0 }).change(of: nil, rows: rows, db))
        }.0
    }

    /// Whoever changes one function through this catalog knows what that supersedes; of everything else this tells.
    private func apply(_ change: FunctionIndex.Change) {
        let superseded = functions.withLock { index in
            defer { index.apply(change) }
            guard case .everything(let found, _) = change else { return [PinnedVersion]() }
            return index.superseded(by: found)
        }
        if !superseded.isEmpty { onSuperseded(superseded) }
    }

    /// Runs one transaction that changes one function, then brings the index up to date.
    func change<Result>(
        _ key: FunctionKey, _ action: @autoclosure () -> String, _ body: (Database) throws -> Result
    ) throws(CatalogError) -> Result {
        let (result, _) = try store.write(action()) { (_, change) in
            apply(change)
        } _: { db -> (Result, FunctionIndex.Change) in
            let index = functions.withLock { $0 }
            // If another process has written in between, its changes are taken over as well.
            let isFollowing = try Generation.functions.read(db) == index.generation
            let result = try body(db)
            return (result, try index.change(of: isFollowing ? key : nil, rows: rows, db))
        }
        return result
    }
}
