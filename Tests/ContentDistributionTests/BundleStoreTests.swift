import Crypto
import EngineCore
import Foundation
import SystemPackage
import Testing

@testable import ContentDistribution

struct BundleStoreTests {
    private let directory: TemporaryDirectory
    private let store: BundleStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try BundleStore(contentDirectory: directory.path.appending("content"))
    }

    @Test func `package and bundle are stored under the digest of the package`() throws {
        let zip = try makeZip("entry('main.py', b'code')")
        let digest = try store.add(zip)

        #expect(digest == ContentDigest(bytes: SHA256.hash(data: zip)))
        let prefix = digest.hex.prefix(2)
        #expect(store.relativeBundlePath(digest) == "bundles/\(prefix)/\(digest.hex)")
        #expect(store.packagePath(digest) == directory.path.appending("content/sha256/\(prefix)/\(digest.hex).zip"))
        #expect(try directory.text("content/\(store.relativeBundlePath(digest))/main.py") == "code")
        #expect(try store.package(digest) == zip)
        #expect(store.contains(digest))
        #expect(try directory.tree("content/tmp") == [])
    }

    @Test func `others may enter bundles, and neither packages nor work in progress`() throws {
        let digest = try store.add(try makeZip("entry('a')"))
        #expect(try directory.mode("content") == 0o755)
        #expect(try directory.mode("content/bundles/\(digest.hex.prefix(2))") == 0o755)
        #expect(try directory.mode("content/\(store.relativeBundlePath(digest))") == 0o755)
        #expect(try directory.mode("content/sha256") == 0o700)
        #expect(try directory.mode("content/tmp") == 0o700)
    }

    @Test func `what is added stays when the store is opened again`() throws {
        let digest = try store.add(try makeZip("entry('a')"))
        let reopened = try BundleStore(contentDirectory: store.contentDirectory)
        #expect(reopened.contains(digest))
    }

    @Test func `a bundle that is gone is unpacked again from its package, and not from a damaged one`() throws {
        let digest = try store.add(try makeZip("entry('main.py', b'code')"))
        let bundle = store.contentDirectory.appending(store.relativeBundlePath(digest)).string
        try FileManager.default.removeItem(atPath: bundle)
        #expect(!store.contains(digest))
        try store.restore(digest)
        #expect(store.contains(digest))
        #expect(try directory.text("content/\(store.relativeBundlePath(digest))/main.py") == "code")

        try FileManager.default.removeItem(atPath: bundle)
        try Data("damaged".utf8).write(to: URL(filePath: store.packagePath(digest).string))
        #expect { try store.restore(digest) } throws: { ($0 as? ContentError)?.code == .digestMismatch }
        #expect(!store.contains(digest))
    }

    @Test func `removing takes both away, and twice is no error`() throws {
        let zip = try makeZip("entry('d/a')")
        let digest = try store.add(zip)
        try store.remove(digest)
        #expect(!store.contains(digest))
        #expect(try directory.tree("content/tmp") == [])
        try store.remove(digest)
        #expect(try store.add(zip) == digest)
        #expect(store.contains(digest))
    }

    @Test func `a refused package leaves nothing in the store`() throws {
        let before = try directory.tree()
        #expect(throws: ContentError.self) { try store.add(try makeZip("entry('a'); entry('../evil')")) }
        #expect(try directory.tree() == before)
    }

    @Test func `leftovers of a crash are swept when the store opens`() throws {
        let kept = try store.add(try makeZip("entry('kept')"))
        let halfPublished = try store.add(try makeZip("entry('half')"))
        try FileManager.default.removeItem(atPath: store.packagePath(halfPublished).string)
        let leftover = directory.url.appending(path: "content/tmp/abc.bundle/d")
        try FileManager.default.createDirectory(at: leftover, withIntermediateDirectories: true)
        try Data("x".utf8).write(to: leftover.appending(path: "file"))
        try FileManager.default.createSymbolicLink(
            atPath: leftover.appending(path: "link").path, withDestinationPath: store.packagePath(kept).string)

        let reopened = try BundleStore(contentDirectory: store.contentDirectory)
        #expect(try directory.tree("content/tmp") == [])
        #expect(!reopened.contains(halfPublished))
        #expect(try directory.tree("content/bundles").filter { $0.hasSuffix(halfPublished.hex) } == [])
        #expect(reopened.contains(kept))
    }

    @Test func `a bundle that went missing is unpacked again by the next add`() throws {
        let zip = try makeZip("entry('a')")
        let digest = try store.add(zip)
        try FileManager.default.removeItem(atPath: "\(store.contentDirectory)/\(store.relativeBundlePath(digest))")
        #expect(!store.contains(digest))
        try store.add(zip)
        #expect(store.contains(digest))
    }

    @Test func `concurrent adds of the same and of other packages all succeed`() async throws {
        let zips = try (0..<3).map { try makeZip("[entry(f'd/{n}', b'\($0)') for n in range(50)]") }
        let store = store
        let digests = try await withThrowingTaskGroup(of: ContentDigest.self) { group in
            for round in 0..<24 { group.addTask { try store.add(zips[round % 3]) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(digests.count == 3)
        #expect(digests.allSatisfy(store.contains))
        for digest in digests { #expect(try directory.tree("content/\(store.relativeBundlePath(digest))").count == 51) }
        #expect(try directory.tree("content/tmp") == [])
    }

    @Test func `adds and removes of the same package do not mix`() async throws {
        let zip = try makeZip("entry('a')")
        let store = store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for round in 0..<24 {
                group.addTask {
                    let digest = try store.add(zip)
                    if round % 2 == 0 { try store.remove(digest) }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.contains(try store.add(zip)))
        #expect(try directory.tree("content/tmp") == [])
    }

    // MARK: - Error codes

    @Test func `bytes that are not what was asked for are refused`() throws {
        let other = try #require(ContentDigest(hex: String(repeating: "a", count: 64)))
        let error = #expect(throws: ContentError.self) { try store.add(try makeZip("entry('a')"), expecting: other) }
        #expect(error?.code == .digestMismatch)
        #expect(!store.contains(other))
    }

    @Test func `a package damaged on disk is not handed out`() throws {
        let digest = try store.add(try makeZip("entry('a')"))
        try Data("rot".utf8).write(to: URL(filePath: store.packagePath(digest).string))
        #expect(throws: ContentError.self) { try store.package(digest) }
        #expect { try store.package(digest) } throws: { ($0 as? ContentError)?.code == .digestMismatch }
    }

    @Test func `a package that is not there is not found`() throws {
        let digest = try #require(ContentDigest(hex: String(repeating: "0", count: 64)))
        #expect { try store.package(digest) } throws: { ($0 as? ContentError)?.code == .notFound }
    }

    @Test func `a content directory that cannot be made is a storage failure with its cause`() throws {
        let path = directory.path.appending("no/such")
        let error = #expect(throws: ContentError.self) { try BundleStore(contentDirectory: path) }
        #expect(error?.code == .storageFailed)
        #expect(error?.cause as? Errno == .noSuchFileOrDirectory)
    }

    @Test(arguments: [Errno.noSpace, .diskQuotaExceeded])
    func `a full disk is told from other failures`(_ errno: Errno) throws {
        let error = #expect(throws: ContentError.self) { try FileSystem.attempt("write x") { throw errno } }
        #expect(error?.code == .storageFull)
    }

    @Test func `every code has a trap or a test above`() {
        let store: Set<ContentError.Code> = [.digestMismatch, .notFound, .storageFailed, .storageFull]
        #expect(store.union(ZipTrapTests.traps.map(\.code)) == Set(ContentError.Code.allCases))
    }
}
