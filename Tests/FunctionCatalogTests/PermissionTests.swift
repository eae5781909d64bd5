import EngineCore
@testable import FunctionCatalog
import GRDB
import Synchronization
import Testing

/// What accounts may take of the node's capacity.
@Suite struct PermissionTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    private static let small = CapacityPermission(
        mayGrow: false, instancesMax: 3, memoryMax: .mebibytes(512), kinds: [.general, .fixed], named: ["gold"], shortage: .wait, bid: 0.05)

    @Test func `an account's permission is kept whole, is its own, and holds at once`() throws {
        #expect(catalog.permission(of: alice) == .standard)
        let set = try catalog.setPermission(account: alice) { $0 = Self.small }
        #expect(set == Self.small)
        #expect(catalog.permission(of: alice) == Self.small)
        #expect(catalog.permission(of: bob) == .standard)
        #expect(try catalog.account(alice).permission == Self.small)
        #expect(try catalog.accounts().map(\.permission) == [Self.small, .standard])
        #expect(try Catalog(directory: directory.path).permission(of: alice) == Self.small)
    }

    @Test func `a permission is changed in part, and back to the standard one`() throws {
        try catalog.setPermission(account: alice) { $0.instancesMax = 3 }
        let both = try catalog.setPermission(account: alice) { $0.bid = 5 }
        #expect(both == CapacityPermission(instancesMax: 3, bid: 5))
        try catalog.setPermission(account: alice) { $0 = .standard }
        #expect(catalog.permission(of: alice) == .standard)
        #expect(catalog.capacity.withLock { $0.permissions.isEmpty })
    }

    @Test func `an account that is not here, as of a peer's call, has the standard permission`() throws {
        let nobody = AccountID("999999999999") ?? impossible()
        #expect(catalog.permission(of: nobody) == .standard)
        expectError(.accountNotFound) { try catalog.setPermission(account: nobody) { $0.mayGrow = false } }
        expectError(.accountNotFound) { try catalog.account(nobody) }
    }

    @Test func `a permission set by another process holds when changes are noticed`() throws {
        let commandLine = try Catalog(directory: directory.path)
        try commandLine.setPermission(account: alice) { $0.mayGrow = false }
        #expect(catalog.permission(of: alice).mayGrow)
        try catalog.noticeChanges()
        #expect(!catalog.permission(of: alice).mayGrow)
        try commandLine.setPermission(account: alice) { $0.mayGrow = true }
        try catalog.setPermission(account: bob) { $0.bid = 1 }
        #expect(catalog.permission(of: alice) == .standard, "a change of this process takes over what the other did before it")
    }

    @Test func `an account whose permission cannot be read gets nothing more until it is set anew, and everybody else is served`() throws {
        _ = try catalog.store.write("damage a permission") { db in
            try db.execute(sql: "UPDATE accounts SET permission = '{}' WHERE id = ?", arguments: [alice.description])
        }
        for catalog in [catalog, try Catalog(directory: directory.path)] {
            try catalog.noticeChanges()
            #expect(catalog.damagedPermissions == [alice])
            #expect(catalog.permission(of: alice) == CapacityPermission(mayGrow: false))
            #expect(catalog.permission(of: bob) == .standard)
            #expect(try catalog.accounts().map(\.permission.mayGrow) == [false, true])
        }
        #expect(try catalog.setPermission(account: alice) { $0.instancesMax = 3 } == CapacityPermission(instancesMax: 3))
        #expect(catalog.damagedPermissions.isEmpty)
    }

    @Test func `who keeps capacity is told whose permission is another, whoever changed it`() throws {
        let told = Mutex<[AccountID: CapacityPermission]>([:])
        let watching = try Catalog(
            directory: directory.path, onPermissionsChanged: { changed in told.withLock { $0.merge(changed) { $1 } } })
        try catalog.setPermission(account: alice) { $0.mayGrow = false }
        try watching.noticeChanges()
        #expect(told.withLock { $0 } == [alice: CapacityPermission(mayGrow: false)])
        try watching.setPermission(account: bob) { $0.bid = 1 }
        try watching.setPermission(account: alice) { $0 = .standard }
        #expect(told.withLock { $0 } == [alice: .standard, bob: CapacityPermission(bid: 1)])
    }
}
