import EngineCore
import Foundation
import FunctionCatalog
import Synchronization
import Testing

/// A folder of its own for one test, removed afterwards.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "wayside-catalog-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }

    func mode(_ name: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: file(name))[.posixPermissions] as? Int)
    }

    /// Whether any file but the master key holds the text. Reading the database from this process drops its locks, so the catalog must
    /// not be used afterwards.
    func holds(_ text: String) throws -> Bool {
        try names.filter { $0 != "master.key" }.contains {
            try Data(contentsOf: URL(filePath: file($0))).range(of: Data(text.utf8)) != nil
        }
    }
}

/// A clock that stands still until it is moved.
final class ManualClock: Sendable {
    private let nanoseconds = Atomic<Int64>(0)

    var read: @Sendable () -> EngineInstant {
        { EngineInstant(nanoseconds: self.nanoseconds.load(ordering: .relaxed)) }
    }

    func advance(by duration: Duration) { nanoseconds.add(duration.wholeNanoseconds, ordering: .relaxed) }
}

let alice = AccountID("111111111111") ?? impossible()
let bob = AccountID("222222222222") ?? impossible()

func impossible<Value>() -> Value { preconditionFailure("A literal of the tests is malformed.") }

func key(_ name: String = "hello", of account: AccountID = alice, in region: String = "eu-west-1") -> FunctionKey {
    FunctionKey(account: account, region: region, name: name)
}

/// Code whose digest repeats the digit, 0 to 15.
func code(_ digit: Int, size: Int = 100) -> CodeReference {
    let hex = String(repeating: String(digit, radix: 16), count: 64)
    return CodeReference(digest: ContentDigest(hex: hex) ?? impossible(), size: ByteCount(size))
}

let settings = FunctionSettings(
    runtime: "python3.13", handler: "app.handler", role: "arn:aws:iam::111111111111:role/r", description: "the first",
    timeoutSeconds: 7, memoryMebibytes: 256, temporaryStorageMebibytes: 600, environment: ["PASSWORD": "hunter2-in-the-clear"])

/// A catalog with the accounts `alice` and `bob`.
func makeCatalog(_ directory: TemporaryDirectory, limits: CatalogLimits = .init(), clock: ManualClock = .init()) throws -> Catalog {
    let catalog = try Catalog(directory: directory.path, limits: limits, clock: clock.read)
    try catalog.createAccount(alice, name: "Alice")
    try catalog.createAccount(bob, name: "Bob")
    return catalog
}

extension Catalog {
    /// A function with the settings and code of the tests.
    @discardableResult
    func make(_ key: FunctionKey = key(), code: CodeReference = code(1), publish: Bool = false) throws -> FunctionEntry {
        try create(key, settings: settings, code: code, tags: ["team": "edge"], publish: publish)
    }

    func publish(_ key: FunctionKey = key(), description: String? = nil) throws -> FunctionEntry {
        try publish(key, description: description, expecting: nil, codeDigest: nil)
    }
}

/// Expects `body` to fail with the code, and with a message that says what to do: at least two sentences.
func expectError(
    _ code: CatalogError.Code, _ body: () throws -> some Any, sourceLocation: SourceLocation = #_sourceLocation
) {
    let error = #expect(throws: CatalogError.self, sourceLocation: sourceLocation) { _ = try body() }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
    #expect((error?.message.split(separator: ". ").count ?? 0) >= 2, "\(String(describing: error))", sourceLocation: sourceLocation)
}
