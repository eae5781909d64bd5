import EngineCore
@testable import FunctionCatalog
import GRDB
import Synchronization
import Testing

/// What is reserved for functions and provisioned for versions.
@Suite struct CapacityTests {
    let directory: TemporaryDirectory
    let catalog: Catalog
    private let told = Told()

    init() throws {
        directory = try TemporaryDirectory()
        _ = try makeCatalog(directory)
        catalog = try Catalog(directory: directory.path, onCapacityChanged: told.add)
    }

    // MARK: Reserved

    @Test func `a reservation is kept, changed, ended, and survives`() throws {
        try catalog.make()
        #expect(catalog.reservedConcurrency(of: key()) == nil)
        for count in [10, 0, 900] {
            try catalog.setReservedConcurrency(count, of: key())
            #expect(catalog.reservedConcurrency(of: key()) == count)
            #expect(try Catalog(directory: directory.path).reservedConcurrency(of: key()) == count)
        }
        #expect(catalog.reservedConcurrency(of: key(of: bob)) == nil)
        try catalog.setReservedConcurrency(nil, of: key())
        try catalog.setReservedConcurrency(nil, of: key())
        #expect(catalog.reservedConcurrency(of: key()) == nil)
        expectError(.functionNotFound) { try catalog.setReservedConcurrency(1, of: key("nothing")) }
    }

    @Test func `reservations leave a hundred to the others of the account in the region`() throws {
        for name in ["a", "b"] { try catalog.make(key(name)) }
        try catalog.make(key(of: bob))
        try catalog.make(key(in: "us-east-1"))
        try catalog.setReservedConcurrency(800, of: key("a"))
        expectRefusal(.reservedLeavesTooFew(minimum: 100)) { try catalog.setReservedConcurrency(101, of: key("b")) }
        #expect(catalog.reservedConcurrency(of: key("b")) == nil)
        try catalog.setReservedConcurrency(100, of: key("b"))
        #expect(try catalog.concurrency(of: alice, region: "eu-west-1").unreserved == 100)
        try catalog.setReservedConcurrency(0, of: key("b"))
        try catalog.setReservedConcurrency(900, of: key("a"))
        expectRefusal(.reservedLeavesTooFew(minimum: 100)) { try catalog.setReservedConcurrency(901, of: key("a")) }
        try catalog.setReservedConcurrency(900, of: key(of: bob))
        try catalog.setReservedConcurrency(900, of: key(in: "us-east-1"))
        let elsewhere = try catalog.concurrency(of: bob, region: "us-east-1")
        #expect(elsewhere.limit == 1000 && elsewhere.unreserved == 1000)
    }

    @Test func `a reservation goes with its function`() throws {
        try catalog.make()
        try catalog.setReservedConcurrency(900, of: key())
        _ = try catalog.delete(key(), version: nil)
        #expect(catalog.reservedConcurrency(of: key()) == nil)
        try catalog.make()
        #expect(catalog.reservedConcurrency(of: key()) == nil)
        #expect(try catalog.concurrency(of: alice, region: "eu-west-1").unreserved == 1000)
    }

    // MARK: Provisioned

    @Test func `what is provisioned is kept with its time, told, changed and ended`() throws {
        try catalog.make(publish: true)
        let first = try catalog.pinned(key(), .published(1))
        let made = try catalog.setProvisionedConcurrency(3, of: key(), .published(1))
        #expect(made.count == 3 && made.lastModified > 1_700_000_000)
        #expect(try catalog.provisionedConcurrency(of: key(), .published(1)) == made)
        #expect(told.list == [.init(first, 3)])
        #expect(catalog.provisioned().map { Told.Target($0.pinned, $0.count) } == [.init(first, 3)])
        let changed = try catalog.setProvisionedConcurrency(5, of: key(), .published(1))
        #expect(changed.count == 5 && changed.lastModified >= made.lastModified)
        try catalog.setProvisionedConcurrency(5, of: key(), .published(1))
        #expect(told.list == [.init(first, 3), .init(first, 5)], "what stays as it is is not told")
        #expect(try Catalog(directory: directory.path).provisioned().map(\.count) == [5])
        for _ in 0..<2 { try catalog.deleteProvisionedConcurrency(of: key(), .published(1)) }
        #expect(told.list.last == .init(first, 0) && told.list.count == 3)
        #expect(try catalog.provisionedConcurrency(of: key(), .published(1)) == nil)
        #expect(catalog.provisioned().isEmpty)
    }

    @Test func `what is provisioned goes with its version and with its function, and that is told`() throws {
        try catalog.make(publish: true)
        _ = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true)
        for number in 1...2 { try catalog.setProvisionedConcurrency(number, of: key(), .published(number)) }
        let versions = try [1, 2].map { try catalog.pinned(key(), .published($0)) }
        _ = try catalog.delete(key(), version: .published(1))
        #expect(told.list.last == .init(versions[0], 0))
        #expect(catalog.provisioned().map(\.count) == [2])
        _ = try catalog.delete(key(), version: nil)
        #expect(told.list.last == .init(versions[1], 0))
        #expect(catalog.provisioned().isEmpty)
        #expect(try catalog.concurrency(of: alice, region: "eu-west-1").unreserved == 1000)
    }

    @Test func `a new revision of a provisioned version is told, because its containers are others`() throws {
        try catalog.make(publish: true)
        try catalog.setProvisionedConcurrency(2, of: key(), .published(1))
        try catalog.setIsolation(.exec, account: alice)
        #expect(told.list.last == .init(try catalog.pinned(key(), .published(1)), 2) && told.list.count == 2)
        try catalog.setPermission(account: alice) { $0.mayGrow = false }
        try catalog.make(key("other"))
        #expect(told.list.count == 2)
    }

    @Test func `what another process provisions is told when changes are noticed, together with a version it has just published`() throws {
        let other = try Catalog(directory: directory.path)
        try other.make(publish: true)
        try other.setProvisionedConcurrency(2, of: key(), .published(1))
        try other.setReservedConcurrency(7, of: key())
        #expect(told.list.isEmpty && catalog.provisioned().isEmpty)
        try catalog.noticeChanges()
        #expect(told.list == [.init(try catalog.pinned(key(), .published(1)), 2)])
        #expect(catalog.reservedConcurrency(of: key()) == 7)
        try other.deleteProvisionedConcurrency(of: key(), .published(1))
        try catalog.noticeChanges()
        #expect(told.list.last?.count == 0)
    }

    @Test func `of a version that is not known here yet nothing is told until it is`() throws {
        let other = try Catalog(directory: directory.path)
        try other.make(publish: true)
        try other.setProvisionedConcurrency(2, of: key(), .published(1))
        try catalog.setPermission(account: alice) { $0.bid = 1 }
        #expect(told.list.isEmpty && catalog.provisioned().isEmpty)
        try catalog.noticeChanges()
        #expect(told.list.map(\.count) == [2])
    }

    @Test func `what does not fit together is refused`() throws {
        try catalog.make(publish: true)
        _ = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true)
        try catalog.make(key("other"))
        expectRefusal(.unpublished) { try catalog.setProvisionedConcurrency(1, of: key(), .latest) }
        expectRefusal(.unpublished) { try catalog.deleteProvisionedConcurrency(of: key(), .latest) }
        expectError(.functionNotFound) { try catalog.setProvisionedConcurrency(1, of: key(), .published(9)) }
        expectError(.functionNotFound) { try catalog.deleteProvisionedConcurrency(of: key("nothing"), .published(1)) }
        try catalog.setReservedConcurrency(10, of: key("other"))
        expectRefusal(.provisionedAboveUnreserved(990)) { try catalog.setProvisionedConcurrency(991, of: key(), .published(1)) }
        expectRefusal(.provisionedLeavesTooFew(minimum: 100)) { try catalog.setProvisionedConcurrency(891, of: key(), .published(1)) }
        try catalog.setProvisionedConcurrency(890, of: key(), .published(1))
        #expect(try catalog.concurrency(of: alice, region: "eu-west-1").unreserved == 100)
        expectRefusal(.provisionedLeavesTooFew(minimum: 100)) { try catalog.setProvisionedConcurrency(1, of: key(), .published(2)) }
        expectRefusal(.reservedLeavesTooFew(minimum: 100)) { try catalog.setReservedConcurrency(11, of: key("other")) }
        try catalog.setProvisionedConcurrency(4, of: key(), .published(1))
        try catalog.setProvisionedConcurrency(2, of: key(), .published(2))
        expectRefusal(.reservedBelowProvisioned(reserved: 5, provisioned: 6)) { try catalog.setReservedConcurrency(5, of: key()) }
        expectRefusal(.reservedBelowProvisioned(reserved: 0, provisioned: 6)) { try catalog.setReservedConcurrency(0, of: key()) }
        try catalog.setReservedConcurrency(6, of: key())
        expectRefusal(.provisionedAboveReserved) { try catalog.setProvisionedConcurrency(3, of: key(), .published(2)) }
        // What is provisioned is part of what is reserved.
        #expect(try catalog.concurrency(of: alice, region: "eu-west-1").unreserved == 984)
    }

    @Test func `as many versions are provisioned as the limit says`() throws {
        var limits = CatalogLimits()
        limits.provisionedVersions = 1
        let catalog = try Catalog(directory: directory.path, limits: limits)
        try catalog.make(publish: true)
        _ = try catalog.updateCode(key(), code: code(2), expecting: nil, publish: true)
        try catalog.setProvisionedConcurrency(1, of: key(), .published(1))
        expectError(.limitReached) { try catalog.setProvisionedConcurrency(1, of: key(), .published(2)) }
        try catalog.setProvisionedConcurrency(2, of: key(), .published(1))
    }

    @Test func `what is provisioned for a function is listed in pages`() throws {
        try catalog.make(publish: true)
        for digit in 2...5 { _ = try catalog.updateCode(key(), code: code(digit), expecting: nil, publish: true) }
        for number in [5, 1, 3] { try catalog.setProvisionedConcurrency(number, of: key(), .published(number)) }
        let first = try catalog.provisionedConcurrency(of: key(), after: nil, limit: 2)
        #expect(first.entries.map(\.version) == [.published(1), .published(3)])
        let second = try catalog.provisionedConcurrency(of: key(), after: first.next, limit: 2)
        #expect(second.entries.map(\.count) == [5])
        #expect(second.next == nil)
        expectError(.markerInvalid) { try catalog.provisionedConcurrency(of: key(), after: "x", limit: 2) }
        expectError(.functionNotFound) { try catalog.provisionedConcurrency(of: key("nothing"), after: nil, limit: 2) }
    }

    /// What the engine was told.
    private final class Told: Sendable {
        struct Target: Equatable, CustomStringConvertible {
            let pinned: PinnedVersion
            let count: Int

            init(_ pinned: PinnedVersion, _ count: Int) {
                self.pinned = pinned
                self.count = count
            }

            static func == (left: Target, right: Target) -> Bool { left.pinned === right.pinned && left.count == right.count }
            var description: String { "\(count) of \(pinned.arn) \(pinned.revision)" }
        }

        private let targets = Mutex<[Target]>([])
        var list: [Target] { targets.withLock { $0 } }
        var add: @Sendable ([ProvisionedTarget]) -> Void {
            { new in self.targets.withLock { $0 += new.map { Target($0.pinned, $0.count) } } }
        }
    }

    private func expectRefusal(
        _ refusal: ConcurrencyRefusal, _ body: () throws -> some Any, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: CatalogError.self, sourceLocation: sourceLocation) { _ = try body() }
        #expect(error?.code == .concurrencyRefused, sourceLocation: sourceLocation)
        #expect(error?.cause as? ConcurrencyRefusal == refusal, sourceLocation: sourceLocation)
        #expect((error?.message.split(separator: ". ").count ?? 0) >= 2, sourceLocation: sourceLocation)
    }
}
