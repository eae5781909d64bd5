import EngineCore
import Foundation
@testable import Frontend
import SystemPackage
import Testing

@Suite struct AffinityTokenTests {
    private static let key = [UInt8](repeating: 7, count: 32)
    private let tokens = AffinityTokens(key: key, node: "pop-1", generation: { 5 }, lifetimeSeconds: 3600)
    private let named = AffinityTokens.Named(container: 42, generation: 5, node: "pop-1")

    private func function(
        account: String = "123456789012", name: String = "hello", version: FunctionVersion = .latest
    ) throws -> PinnedVersion {
        PinnedVersion(
            key: FunctionKey(account: try #require(AccountID(account)), region: "eu-central-1", name: name), version: version,
            revision: "r", runtime: "python3.13", handler: "app.handler", memory: .mebibytes(128), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3), environment: [:], codeDigest: try #require(ContentDigest(hex: String(repeating: "ab", count: 32))),
            codeSize: ByteCount(3))
    }

    @Test func `STICK-10 a token opens to the container it was made for, until its time is over`() throws {
        let token = try #require(tokens.seal(named, for: try function(), now: 1000))
        #expect(tokens.open(token, for: try function(), now: 1001) == named)
        #expect(tokens.open(token, for: try function(), now: 4600) == named)
        #expect(tokens.open(token, for: try function(), now: 4661) == nil)
        #expect(token.utf8.count <= AffinityHeaders.tokenBytesMax)
        // Nothing of what it names can be read from it.
        #expect(Data(base64Encoded: token)?.range(of: Data("pop-1".utf8)) == nil)
    }

    @Test func `STICK-10 the token of another account, function or version does not open`() throws {
        let token = try #require(tokens.seal(named, for: try function(), now: 1000))
        for other in [
            try function(account: "210987654321"), try function(name: "greet"), try function(version: .published(1)),
        ] { #expect(tokens.open(token, for: other, now: 1001) == nil) }
    }

    @Test func `STICK-10 a forged token does not open, whichever of its bits was changed`() throws {
        let token = try #require(tokens.seal(named, for: try function(), now: 1000))
        let bytes = try #require(Data(base64Encoded: token))
        for bit in 0..<bytes.count * 8 {
            var forged = bytes
            forged[bit / 8] ^= 1 << (bit % 8)
            #expect(tokens.open(forged.base64EncodedString(), for: try function(), now: 1001) == nil, "bit \(bit)")
        }
        for length in 0..<bytes.count {
            #expect(tokens.open(bytes.prefix(length).base64EncodedString(), for: try function(), now: 1001) == nil)
        }
        for text in ["", "?", "42", String(repeating: "A", count: 500)] { #expect(tokens.open(text, for: try function(), now: 1) == nil) }
        let stranger = AffinityTokens(key: [UInt8](repeating: 8, count: 32), node: "pop-1", generation: { 5 })
        #expect(stranger.open(token, for: try function(), now: 1001) == nil)
    }

    @Test func `STICK-19 frontends with the same key open each other's tokens`() throws {
        let token = try #require(tokens.seal(named, for: try function(), now: 1000))
        let neighbour = AffinityTokens(key: Self.key, node: "pop-2", generation: { 9 })
        #expect(neighbour.open(token, for: try function(), now: 1001) == named)
    }

    @Test func `tokens differ by what they name and are the same for the same`() throws {
        let function = try function()
        #expect(tokens.seal(named, for: function, now: 1000) == tokens.seal(named, for: function, now: 1001))
        var seen: Set<String> = []
        for container in 1...1000 as ClosedRange<UInt64> {
            let token = try #require(tokens.seal(.init(container: container, generation: 5, node: "pop-1"), for: function, now: 1000))
            // The nonce is the first twelve bytes.
            #expect(seen.insert(String(token.prefix(16))).inserted)
        }
    }

    @Test func `the key file is made once, for its owner alone, and one of another size is left as it is`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-key-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = FilePath(folder.path).appending("affinity.key")
        let key = try AffinityKeyFile.load(path)
        #expect(key.count == 32)
        #expect(try AffinityKeyFile.load(path) == key)
        let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["affinity.key"])
        try Data([1, 2, 3]).write(to: URL(filePath: path.string))
        let error = try #require(throws: AffinityKeyError.self) { try AffinityKeyFile.load(path) }
        #expect(error.message.contains("3 bytes instead of 32"))
        #expect(try Data(contentsOf: URL(filePath: path.string)) == Data([1, 2, 3]))
        #expect(throws: AffinityKeyError.self) { try AffinityKeyFile.load(FilePath(folder.path).appending("no/affinity.key")) }
    }
}
