import EngineCore
import Foundation
import FunctionCatalog
import Testing

@testable import Engine

/// Which version runs in place of one whose code is missing.
@Suite struct StaleVersionsTests {
    private func code(_ digit: Int) throws -> CodeReference {
        CodeReference(digest: try #require(ContentDigest(hex: String(repeating: "\(digit)", count: 64))), size: ByteCount(100))
    }

    /// A function whose owner permits it, with code 1 first and code 2 now; the code that `missing` says is not here.
    private func with(missing: Int, _ body: (Catalog, StaleVersions, FunctionKey) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-stale-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let catalog = try Catalog(directory: folder)
        let account = try #require(AccountID("111111111111"))
        try catalog.createAccount(account, name: "Alice")
        let key = FunctionKey(account: account, region: "eu-west-1", name: "hello")
        let settings = FunctionSettings(
            runtime: "python3.13", handler: "app.handler", role: "r", placement: PlacementRule(servesStale: true))
        let digest = try code(missing).digest
        let stale = StaleVersions(catalog: catalog) { $0 != digest }
        _ = try catalog.create(key, settings: settings, code: try code(1), tags: [:], publish: false)
        let code2 = try code(2)
        try change(catalog, stale, key) { _ = try catalog.updateCode(key, code: code2, expecting: nil, publish: false) }
        try body(catalog, stale, key)
    }

    private func change(_ catalog: Catalog, _ stale: StaleVersions, _ key: FunctionKey, _ work: () throws -> Void) throws {
        let old = try catalog.pinned(key, .latest)
        try work()
        stale.superseded([old])
    }

    private func servedFor(_ key: FunctionKey, _ catalog: Catalog, _ stale: StaleVersions) throws -> ContentDigest? {
        stale.version(for: try catalog.pinned(key, .latest))?.codeDigest
    }

    @Test func `PLACE-09 the version before a deployment is served, also after a setting was changed`() throws {
        try with(missing: 2) { catalog, stale, key in
            #expect(try servedFor(key, catalog, stale) == code(1).digest)
            for timeout in [5, 6] {
                try change(catalog, stale, key) { _ = try catalog.updateSettings(key, expecting: nil) { $0.timeoutSeconds = timeout } }
                #expect(try servedFor(key, catalog, stale) == code(1).digest)
            }
            #expect(try stale.digests == [code(1).digest])
        }
    }

    @Test func `what was made before the account chose its isolation is not served`() throws {
        try with(missing: 2) { catalog, stale, key in
            try change(catalog, stale, key) { _ = try catalog.setIsolation(.exec, account: key.account) }
            #expect(try servedFor(key, catalog, stale) == nil)
        }
    }

    @Test func `nothing is served whose code is not here`() throws {
        try with(missing: 1) { catalog, stale, key in
            let served = try servedFor(key, catalog, stale)
            #expect(served == nil)
        }
    }
}
