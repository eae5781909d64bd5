import ContentDistribution
import Foundation
import SystemPackage
import Testing

/// A folder of its own for one test, removed afterwards.
final class TemporaryDirectory {
    let url: URL
    var path: FilePath { FilePath(url.path) }

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "wayside-content-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Every file, folder and link beneath, relative, sorted.
    func tree(_ below: String = "") throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: url.appending(path: below).path).sorted()
    }

    func text(_ name: String) throws -> String { try String(contentsOf: url.appending(path: name), encoding: .utf8) }

    /// All twelve permission bits.
    func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.appending(path: name).path)
        return try #require(attributes[.posixPermissions] as? Int)
    }
}

/// A zip archive made by Python's zipfile.
/// - Parameters:
///   - entries: Python that calls `entry(name, data=b"x", mode=0o100644)`.
///   - patch: Python that may change `out`, the finished archive as a bytearray.
func makeZip(_ entries: String, patch: String = "pass") throws -> [UInt8] {
    let script = """
        import io, stat, sys, zipfile
        buffer = io.BytesIO()
        archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED)
        def entry(name, data=b"x", mode=0o100644):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
        \(entries)
        archive.close()
        out = bytearray(buffer.getvalue())
        local, central = out.find(b"PK\\3\\4"), out.find(b"PK\\1\\2")
        \(patch)
        sys.stdout.buffer.write(out)
        """
    let python = Process()
    let output = Pipe()
    python.executableURL = URL(filePath: "/usr/bin/python3")
    python.arguments = ["-I", "-W", "ignore", "-c", script]
    python.standardOutput = output
    try python.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    python.waitUntilExit()
    try #require(python.terminationStatus == 0)
    return [UInt8](bytes)
}
