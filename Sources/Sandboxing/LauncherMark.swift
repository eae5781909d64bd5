internal import Foundation
#if canImport(Glibc)
internal import Glibc
#endif

/// How a launcher has been started and of what: a digest of its arguments, and of the names, sizes and times of its program, its library
/// and its runtimes' files.
///
/// It stands on the launcher's command line. With other settings, or after an upgrade of any of them, the mark is another, and a
/// launcher that an earlier process has left is not gone on with: it would go on with the old ones.
struct LauncherMark {
    let text: String

    /// - Parameter arguments: all others of its command line.
    init(_ configuration: SandboxHostConfiguration, _ manifests: [RuntimeManifest], arguments: [String]) {
        var digest = Digest()
        for argument in arguments { digest.add(argument) }
        digest.add(file: configuration.launcher)
        digest.add(file: configuration.zygoteLibrary)
        for manifest in manifests {
            let folder = "\(configuration.runtimes)/\(manifest.name)"
            // A folder that cannot be read any more is another than it was.
            let files = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
            for file in files.sorted() { digest.add(file: "\(folder)/\(file)") }
        }
        text = String(digest.value, radix: 16)
    }

    /// FNV-1a, 64 bits (draft-eastlake-fnv): the same in every process, and nobody here chooses names to make two alike.
    private struct Digest {
        private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ text: String) {
            add(text.utf8)
            add(CollectionOfOne(0))
        }

        mutating func add(file path: String) {
            var status = stat()
            let isThere = lstat(path, &status) == 0
            add(path)
            guard isThere else { return }
            for number in [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(truncatingIfNeeded: status.st_ino)] {
                withUnsafeBytes(of: number) { add($0) }
            }
        }

        private mutating func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
    }
}
