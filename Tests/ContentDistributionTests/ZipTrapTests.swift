import ContentDistribution
import EngineCore
import Foundation
import SystemPackage
import Testing

/// Hostile and broken packages. In each case: the right error, nothing written anywhere.
struct ZipTrapTests {
    struct Trap: Sendable, CustomTestStringConvertible {
        var name: String
        var code: ContentError.Code
        var entries = "entry('a')"
        var patch = "pass"
        var testDescription: String { name }

        init(_ name: String, _ code: ContentError.Code, _ entries: String = "entry('a')", patch: String = "pass") {
            (self.name, self.code, self.entries, self.patch) = (name, code, entries, patch)
        }
    }

    static let traps = [
        Trap("climbs", .unsafeName, "entry('ok'); entry('../evil')"),
        Trap("climbs within", .unsafeName, "entry('a/../b')"),
        Trap("folder that climbs", .unsafeName, "entry('../evil/', b'', 0o040755)"),
        Trap("absolute", .unsafeName, "entry('/tmp/wayside-evil')"),
        Trap("file named like the root", .unsafeName, "entry('.')"),
        Trap("link to an absolute path", .unsafeLink, "entry('l', b'/etc/passwd', 0o120777)"),
        Trap("link that climbs out", .unsafeLink, "entry('d/l', b'../../x', 0o120777)"),
        Trap(
            "link that climbs late", .unsafeLink,
            "entry('d/self', b'.', 0o120777); entry('e', b'd/self/../..', 0o120777)"),
        Trap("write through a link", .duplicateName, "entry('l', b'd', 0o120777); entry('l/evil')"),
        Trap("link over a folder", .duplicateName, "entry('d/x'); entry('d', b'e', 0o120777)"),
        Trap("duplicate", .duplicateName, "entry('a', b'1'); entry('a', b'2')"),
        Trap("duplicate by another spelling", .duplicateName, "entry('d/a'); entry('./d//a')"),
        Trap("file as folder", .duplicateName, "entry('a'); entry('a/b')"),
        Trap("character device", .unsupportedEntry, "entry('null', b'', 0o020666)"),
        Trap("block device", .unsupportedEntry, "entry('disk', b'', 0o060666)"),
        Trap("socket", .unsupportedEntry, "entry('socket', b'', 0o140666)"),
        Trap("bomb", .tooLarge, "entry('zeros', bytes(4_000_000))"),
        Trap("bomb in many files", .tooLarge, "[entry(f'f{n}', bytes(200_000)) for n in range(20)]"),
        Trap(
            "bomb that claims ten bytes", .tooLarge, "entry('zeros', bytes(4_000_000))",
            patch: "out[local+22:local+26] = out[central+24:central+28] = (10).to_bytes(4, 'little')"),
        Trap("too many files", .tooManyEntries, "[entry(f'f{n}') for n in range(60)]"),
        Trap("too many implied folders", .tooManyEntries, "[entry(f'{n}/b/c/d/e/f') for n in range(10)]"),
        Trap("long name", .nameTooLong, "entry('/'.join(['abcdefghij'] * 7) + 'x' * 230)"),
        Trap("long component", .nameTooLong, "entry('x' * 256)"),
        Trap("deep name", .nameTooLong, "entry('/'.join('abcdefghijk'))"),
        Trap("long link target", .nameTooLong, "entry('l', b'x' * 400, 0o120777)"),
        Trap("encrypted", .encrypted, patch: "out[local+6] |= 1; out[central+8] |= 1"),
        Trap("empty", .empty, "pass"),
        Trap("folders only", .empty, "entry('d/', b'', 0o040755)"),
        Trap("no bytes", .notAZip, patch: "out = b''"),
        Trap("text", .notAZip, patch: "out = b'def handler(event, context): pass\\n' * 9"),
        Trap(
            "tar", .notAZip,
            patch: "import tarfile; b = io.BytesIO(); tarfile.open(fileobj=b, mode='w').close(); out = b.getvalue()"),
        Trap("cut off", .notAZip, "entry('a', bytes(range(256)) * 99)", patch: "out = out[:central - 3]"),
        Trap("damaged data", .corrupt, "entry('a', bytes(range(256)))", patch: "out[local + 60] ^= 0xFF"),
        Trap("wrong checksum", .corrupt, patch: "out[local+14] ^= 1; out[central+16] ^= 1"),
        Trap("directory that points nowhere", .corrupt, patch: "out[central+42:central+46] = b'\\xff\\xff\\xff\\x7f'"),
    ]

    static let limits = ExtractionLimits(unzippedBytes: ByteCount(1_000_000), entries: 50, nameBytes: 300, depth: 10)

    @Test(arguments: traps)
    func `a hostile or broken package is refused with its code and leaves nothing`(_ trap: Trap) throws {
        let directory = try TemporaryDirectory()
        let zip = try makeZip(trap.entries, patch: trap.patch)

        let error = #expect(throws: ContentError.self) {
            try ZipExtractor(limits: Self.limits).extract(zip, to: directory.path.appending("bundle"))
        }
        #expect(error?.code == trap.code, "\(error.map(String.init(describing:)) ?? "accepted")")
        #expect(try directory.tree() == [])
        #expect(!FileManager.default.fileExists(atPath: "/tmp/wayside-evil"))
    }

    @Test func `a package cut off or altered at any byte is refused or unpacked, and never crashes`() throws {
        let zip = try makeZip("entry('d/a', b'hello' * 9); entry('l', b'd/a', 0o120777); entry('b', b'', 0o100755)")
        for position in zip.indices {
            var altered = zip
            altered[position] ^= 0xFF
            for candidate in [altered, Array(zip.prefix(position))] {
                let directory = try TemporaryDirectory()
                do {
                    try ZipExtractor(limits: Self.limits).extract(candidate, to: directory.path.appending("bundle"))
                } catch {
                    #expect(try directory.tree() == [], "at byte \(position): \(error)")
                }
                #expect(try directory.tree().allSatisfy { $0 == "bundle" || $0.hasPrefix("bundle/") })
            }
        }
    }

    @Test func `an extraction limit is permitted to the byte`() throws {
        let directory = try TemporaryDirectory()
        let zip = try makeZip("entry('a', bytes(600)); entry('b', bytes(400))")
        var limits = Self.limits
        limits.unzippedBytes = ByteCount(1000)
        limits.entries = 2
        try ZipExtractor(limits: limits).extract(zip, to: directory.path.appending("bundle"))

        limits.unzippedBytes = ByteCount(999)
        #expect(throws: ContentError.self) {
            try ZipExtractor(limits: limits).extract(zip, to: directory.path.appending("other"))
        }
        #expect(try directory.tree() == ["bundle", "bundle/a", "bundle/b"])
    }
}
