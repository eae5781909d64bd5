public import EngineCore
import Foundation
import GRDB
import Synchronization

/// The functions, versions, accounts and access keys of this node, and the versions it holds for other nodes.
///
/// Everything lies in one SQLite database, `catalog.sqlite`; a change has answered only when it is on the disk. In memory lie the
/// pinned versions, access keys, permissions and held versions that invocations ask for. The command line may write to the same
/// database from another process: whoever owns the catalog calls ``noticeChanges()`` every ``changeInterval``, away from its event loops.
///
/// Secrets of access keys and the environments of functions are sealed under a key of their own file, `master.key`, so a copy of the
/// database alone reveals none of them. Back up both files, apart from each other; the database cannot be opened without the key.
///
/// All methods are synchronous. Those called *blocking* wait for the disk (or for another writer, at most five seconds) and do not
/// belong on an event loop; the others touch memory alone, unless nobody has noticed changes for ``unnoticedMax``.
public final class Catalog: Sendable {
    /// How often ``noticeChanges()`` is to be called.
    public static let changeInterval: Duration = .seconds(1)

    /// How long a change by another process may stay unnoticed. Then the next caller of a look-up looks for changes itself, with one
    /// short read, so that a deleted key never stays valid because the calls of ``noticeChanges()`` are late, or fail, or are none.
    public static let unnoticedMax: Duration = .seconds(2)

    let limits: CatalogLimits
    let store: CatalogStore
    let sealer: SecretSealer
    let functions: Mutex<FunctionIndex>
    let capacity: Mutex<CapacityIndex>
    let accessKeys: Mutex<AccessKeyCache>
    let held: Mutex<HeldVersionCache>
    let clock: @Sendable () -> EngineInstant
    let onSuperseded: @Sendable ([PinnedVersion]) -> Void
    let onCapacityChanged: @Sendable ([ProvisionedTarget]) -> Void
    let onPermissionsChanged: @Sendable ([AccountID: CapacityPermission]) -> Void
    /// When the generations were last compared, in nanoseconds of `clock`.
    let comparedAt: Atomic<Int64>

    var rows: VersionRow { VersionRow(sealer: sealer) }

    /// Opens the catalog of a data directory, making what is missing: the folder (0700), the database and the master key (0600).
    /// Blocking; O(versions).
    /// - Parameters:
    ///   - clock: when changes of other processes are looked for.
    ///   - onSuperseded: told of versions that are others or no more because of another process or of ``setIsolation(_:account:)``, so
    ///     that their containers can be replaced. Must not call the catalog.
    ///   - onCapacityChanged: told of versions for which something else is provisioned now, or that are others, whoever changed it; not of
    ///     what is provisioned at the start, which ``provisioned()`` answers. Must not call the catalog.
    ///   - onPermissionsChanged: told of the accounts that may take something else of the node's capacity now, whoever changed it. Must not
    ///     call the catalog.
    /// - Throws: `masterKey`, `storeFull`, `storeFailed`.
    public init(
        directory: String, limits: CatalogLimits = .init(), clock: @escaping @Sendable () -> EngineInstant = { .now() },
        onSuperseded: @escaping @Sendable ([PinnedVersion]) -> Void = { _ in },
        onCapacityChanged: @escaping @Sendable ([ProvisionedTarget]) -> Void = { _ in },
        onPermissionsChanged: @escaping @Sendable ([AccountID: CapacityPermission]) -> Void = { _ in }
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
        let (index, capacity, newestUse) = try store.read("read the catalog") { db in
            try Self.checkMasterKey(sealer, db)
            var index = FunctionIndex()
            index.apply(try index.change(of: nil, rows: VersionRow(sealer: sealer), db))
            let newestUse = try Int64.fetchOne(db, sql: "SELECT max(used) FROM held_versions") ?? 0
            return (index, try CapacityIndex(db), newestUse)
        }
        self.limits = limits
        self.store = store
        self.sealer = sealer
        functions = Mutex(index)
        self.capacity = Mutex(capacity)
        accessKeys = Mutex(AccessKeyCache(unknownMax: limits.unknownAccessKeys))
        held = Mutex(HeldVersionCache(newestUse: newestUse))
        self.clock = clock
        self.onSuperseded = onSuperseded
        self.onCapacityChanged = onCapacityChanged
        self.onPermissionsChanged = onPermissionsChanged
        comparedAt = Atomic(clock().nanoseconds)
    }

    /// What `other` is now, to try a change on: what is written here is rolled back, and seen in memory alone.
    init(rehearsing other: Catalog) {
        limits = other.limits
        store = other.store.rehearsing
        sealer = other.sealer
        functions = Mutex(other.functions.withLock { $0 })
        capacity = Mutex(other.capacity.withLock { $0 })
        accessKeys = Mutex(AccessKeyCache(unknownMax: 0))
        held = Mutex(HeldVersionCache(newestUse: 0))
        clock = other.clock
        onSuperseded = { _ in }
        onCapacityChanged = { _ in }
        onPermissionsChanged = { _ in }
        comparedAt = Atomic(other.comparedAt.load(ordering: .relaxed))
    }

    /// Opens one sealed secret, so that a wrong master key is found at the start and not by the first caller.
    private static func checkMasterKey(_ sealer: SecretSealer, _ db: Database) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT id, account, secret FROM access_keys LIMIT 1") else { return }
        _ = try sealer.open(row["secret"], at: secretPlace(id: row["id"], account: row["account"]))
    }

    /// What a sealed secret is bound to.
    static func secretPlace(id: String, account: String) -> String { "secret of access key \(id) of account \(account)" }

    /// Seconds since 1970, for people; decided by it is only what held versions nobody has used for long.
    public static func wallClock() -> Double { Date().timeIntervalSince1970 }

    static func newRevision() -> String { UUID().uuidString.lowercased() }
}
