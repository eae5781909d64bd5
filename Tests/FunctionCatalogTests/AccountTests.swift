import EngineCore
import FunctionCatalog
import Testing

@Suite struct AccountTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    @Test func `accounts are listed with their access keys`() throws {
        let first = try catalog.createAccessKey(account: bob)
        let second = try catalog.createAccessKey(account: bob)
        let accounts = try catalog.accounts()
        #expect(accounts.map(\.id) == [alice, bob])
        #expect(accounts.map(\.name) == ["Alice", "Bob"])
        #expect(accounts.map { Set($0.accessKeyIDs) } == [[], [first.id, second.id]])
        #expect(accounts.allSatisfy { $0.created > 1_700_000_000 })
    }

    @Test func `an access key has the form of AWS and answers its secret and its owner`() throws {
        let key = try catalog.createAccessKey(account: alice)
        #expect(key.id.wholeMatch(of: /AKIA[A-Z2-7]{16}/) != nil)
        #expect(key.secret.wholeMatch(of: /[A-Za-z0-9+\/]{40}/) != nil)
        for _ in 0..<2 {
            let found = try catalog.accessKey(key.id)
            #expect(found?.secret == key.secret && found?.account == alice)
        }
        let other = try catalog.createAccessKey(account: bob)
        #expect(other.id != key.id && other.secret != key.secret)
        #expect(try catalog.accessKey(other.id)?.account == bob)
        #expect(try catalog.accessKey(key.id)?.account == alice)
    }

    @Test func `an account has several access keys, up to the limit`() throws {
        var limits = CatalogLimits()
        limits.accessKeysPerAccount = 3
        limits.accounts = 2
        let catalog = try Catalog(directory: directory.path, limits: limits)
        let keys = try (0..<3).map { _ in try catalog.createAccessKey(account: alice) }
        expectError(.limitReached) { try catalog.createAccessKey(account: alice) }
        for key in keys { #expect(try catalog.accessKey(key.id)?.secret == key.secret) }
        _ = try catalog.createAccessKey(account: bob)
        expectError(.limitReached) { try catalog.createAccount(AccountID("333333333333") ?? impossible(), name: "Carol") }
    }

    @Test func `a deleted access key is refused at once, the others stay`() throws {
        let gone = try catalog.createAccessKey(account: alice)
        let stays = try catalog.createAccessKey(account: alice)
        #expect(try catalog.accessKey(gone.id) != nil)
        try catalog.deleteAccessKey(gone.id, account: alice)
        #expect(try catalog.accessKey(gone.id) == nil)
        #expect(try catalog.accessKey(stays.id)?.secret == stays.secret)
    }

    @Test func `what does not exist, or exists already, is named`() throws {
        let nobody = AccountID("999999999999") ?? impossible()
        expectError(.accountExists) { try catalog.createAccount(alice, name: "Again") }
        #expect(try catalog.accounts().map(\.name) == ["Alice", "Bob"])
        expectError(.accountNotFound) { try catalog.createAccessKey(account: nobody) }
        expectError(.accessKeyNotFound) { try catalog.deleteAccessKey("AKIAAAAAAAAAAAAAAAAA", account: alice) }
    }

    @Test func `WHOLE-01 an account cannot delete another's access key`() throws {
        let key = try catalog.createAccessKey(account: alice)
        expectError(.accessKeyNotFound) { try catalog.deleteAccessKey(key.id, account: bob) }
        #expect(try catalog.accessKey(key.id)?.account == alice)
    }

    @Test(arguments: ["", "AKIA", "AKIAaaaaaaaaaaaaaaaa", "ASIAAAAAAAAAAAAAAAAA", "AKIAAAAAAAAAAAAAAAAA", "AKIA'; DROP TABLE x;"])
    func `an unknown access key is nobody's`(id: String) throws {
        #expect(try catalog.accessKey(id) == nil)
        #expect(try catalog.accessKey(id) == nil)
    }

    @Test func `more unknown access keys than are remembered do no harm`() throws {
        var limits = CatalogLimits()
        limits.unknownAccessKeys = 4
        let catalog = try Catalog(directory: directory.path, limits: limits)
        let real = try catalog.createAccessKey(account: alice)
        for letter in "ABCDEFGHIJKLMNOP" {
            #expect(try catalog.accessKey("AKIA" + String(repeating: letter, count: 16)) == nil)
        }
        #expect(try catalog.accessKey(real.id)?.secret == real.secret)
    }
}
