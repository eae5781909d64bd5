import ContentDistribution
import EngineCore
import Foundation
import SystemPackage
import Testing

struct ZipExtractorTests {
    @Test func `files, folders and links inside the bundle are unpacked, whatever their order`() throws {
        let directory = try TemporaryDirectory()
        let zip = try makeZip(
            """
            entry('node_modules/.bin/tool', b'../tool/cli.js', 0o120777)
            entry('node_modules/tool/cli.js', b'run')
            entry('./', b'', 0o040755)
            entry('node_modules/', b'', 0o040755)
            entry('./index.js', b'code')
            """)
        try ZipExtractor().extract(zip, to: directory.path.appending("bundle"))

        #expect(try directory.text("bundle/index.js") == "code")
        #expect(try directory.text("bundle/node_modules/.bin/tool") == "run")
    }

    @Test func `names outside ASCII keep their bytes`() throws {
        let directory = try TemporaryDirectory()
        try ZipExtractor().extract(try makeZip("entry('naïve/日本.py', b'1')"), to: directory.path.appending("bundle"))
        #expect(try directory.text("bundle/naïve/日本.py") == "1")
    }

    @Test func `names that differ in case alone are two files`() throws {
        let directory = try TemporaryDirectory()
        try ZipExtractor().extract(
            try makeZip("entry('A', b'1'); entry('a', b'2')"), to: directory.path.appending("bundle"))
        #expect(try directory.text("bundle/A") + directory.text("bundle/a") == "12")
    }

    @Test func `all may read, the executable bit stays, special bits go`() throws {
        let directory = try TemporaryDirectory()
        let zip = try makeZip(
            """
            entry('d/', b'', 0o041700)
            entry('d/private', b'', 0o100600)
            entry('bootstrap', b'', 0o106711)
            entry('no-mode', b'', 0)
            """)
        try ZipExtractor().extract(zip, to: directory.path.appending("bundle"))

        #expect(try directory.mode("bundle") == 0o755)
        #expect(try directory.mode("bundle/d") == 0o755)
        #expect(try directory.mode("bundle/d/private") == 0o644)
        #expect(try directory.mode("bundle/bootstrap") == 0o755)
        #expect(try directory.mode("bundle/no-mode") == 0o644)
    }

    @Test func `an entry of a named pipe's type becomes a plain file`() throws {
        let directory = try TemporaryDirectory()
        try ZipExtractor().extract(try makeZip("entry('pipe', b'x', 0o010666)"), to: directory.path.appending("bundle"))
        let attributes = try FileManager.default.attributesOfItem(
            atPath: directory.url.appending(path: "bundle/pipe").path)
        #expect(attributes[.type] as? FileAttributeType == .typeRegular)
        #expect(try directory.text("bundle/pipe") == "x")
    }

    @Test func `a folder that exists already is refused and left alone`() throws {
        let directory = try TemporaryDirectory()
        let error = #expect(throws: ContentError.self) {
            try ZipExtractor().extract(try makeZip("entry('a')"), to: directory.path)
        }
        #expect(error?.code == .storageFailed)
        #expect(FileManager.default.fileExists(atPath: directory.url.path))
    }
}
