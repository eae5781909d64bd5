import EngineCore
import GRDB
import Synchronization

/// How what lies in memory follows the database, whoever writes to it.
extension Catalog {
    /// Looks whether another process has changed something, and takes it over. Blocking: one short read, and more only if something has
    /// changed. To be called every ``changeInterval``.
    public func noticeChanges() throws(CatalogError) {
        let now = clock()
        try look()
        comparedAt.store(now.nanoseconds, ordering: .relaxed)
    }

    /// Looks for changes if nobody has for ``unnoticedMax``. One caller looks; the others go on with what is known. If looking fails the
    /// next caller tries again.
    func noticeOverdueChanges() throws(CatalogError) {
        let now = clock()
        let last = comparedAt.load(ordering: .relaxed)
        guard now - EngineInstant(nanoseconds: last) >= Self.unnoticedMax,
            comparedAt.compareExchange(expected: last, desired: now.nanoseconds, ordering: .relaxed).exchanged
        else { return }
        do {
            try look()
        } catch {
            comparedAt.store(last, ordering: .relaxed)
            throw error
        }
    }

    private func look() throws(CatalogError) {
        let found = try store.read("look for changes in the catalog") { db in
            (
                keys: try Generation.accessKeys.read(db), functions: try Generation.functions.read(db),
                capacity: try Generation.capacity.read(db)
            )
        }
        accessKeys.withLock { $0.advance(to: found.keys) }
        // A change of this process that commits in between raises both numbers; then there is nothing to do. What has changed is read on
        // the writer queue, so that no change of this process falls in between.
        if found.functions > functions.withLock({ $0.generation }) {
            try changeAll("read the changed functions") { _ in () }
        } else if found.capacity > capacity.withLock({ $0.generation }) {
            try changeCapacity("read the changed permissions") { _ in () }
        }
    }

    /// Runs one transaction that changes one function, then brings what lies in memory up to date.
    func change<Result>(
        _ key: FunctionKey, _ action: @autoclosure () -> String, _ body: (Database) throws -> Result
    ) throws(CatalogError) -> Result {
        try write(action()) { db in
            let index = functions.withLock { $0 }
            // If another process has written in between, its changes are taken over as well.
            let isFollowing = try Generation.functions.read(db) == index.generation
            let result = try body(db)
            return (result, try index.change(of: isFollowing ? key : nil, rows: rows, db))
        }
    }

    /// Runs one transaction that may change any function, then brings what lies in memory up to date. O(all versions).
    func changeAll<Result>(_ action: @autoclosure () -> String, _ body: (Database) throws -> Result) throws(CatalogError) -> Result {
        try write(action()) { db in
            let result = try body(db)
            return (result, try functions.withLock({ $0 }).change(of: nil, rows: rows, db))
        }
    }

    /// Runs one transaction that changes no function, then brings what lies in memory of capacity up to date.
    func changeCapacity<Result>(_ action: @autoclosure () -> String, _ body: (Database) throws -> Result) throws(CatalogError) -> Result {
        try write(action()) { db in (try body(db), nil) }
    }

    /// - Parameter body: the transaction; answers also what it did to the functions.
    private func write<Result>(
        _ action: @autoclosure () -> String, _ body: (Database) throws -> (Result, FunctionIndex.Change?)
    ) throws(CatalogError) -> Result {
        let outcome = try store.write(action()) { (outcome: (Result, FunctionIndex.Change?, CapacityIndex?)) in
            apply(outcome.1, outcome.2)
        } _: { db in
            let (result, change) = try body(db)
            let isFollowing = try Generation.capacity.read(db) == capacity.withLock { $0.generation }
            return (result, change, isFollowing ? nil : try CapacityIndex(db))
        }
        return outcome.0
    }

    /// Whoever changes one function through this catalog knows what that supersedes; of everything else this tells.
    private func apply(_ change: FunctionIndex.Change?, _ index: CapacityIndex?) {
        let before = provisioned()
        var superseded: [PinnedVersion] = []
        if let change {
            superseded = functions.withLock { index in
                defer { index.apply(change) }
                guard case .everything(let found, _) = change else { return [] }
                return index.superseded(by: found)
            }
        }
        var permissions: [AccountID: CapacityPermission] = [:]
        if let index {
            permissions = capacity.withLock { capacity in
                defer { capacity = index }
                return index.permissionsChanged(since: capacity)
            }
        }
        if !superseded.isEmpty { onSuperseded(superseded) }
        let changed = ProvisionedTarget.changed(from: before, to: provisioned())
        if !permissions.isEmpty { onPermissionsChanged(permissions) }
        if !changed.isEmpty { onCapacityChanged(changed) }
    }
}
