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

    @Test func `a permission that cannot be read is said to be damaged`() throws {
        _ = try catalog.store.write("damage a permission") { db in
            try db.execute(sql: "UPDATE accounts SET permission = '{}' WHERE id = ?", arguments: [alice.description])
        }
        expectError(.storeFailed) { try catalog.noticeChanges() }
        expectError(.storeFailed) { try Catalog(directory: directory.path) }
    }
}
