import Foundation
import Glibc

/// Files of the data directory that nobody but the engine's user may read.
///
/// An existing database file is never opened here: closing any descriptor of it would drop the locks that SQLite holds on it in this
/// process (fcntl(2), and "How To Corrupt An SQLite Database File", section 2.2).
enum PrivateFile {
    /// Makes the folder with its missing parents, 0700, durably. A folder that is there stays as it is.
    static func makeDirectory(_ path: String) throws(CatalogError) {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .wrapping(error, "make the folder \(path)")
        }
        try syncDirectory(URL(filePath: path).deletingLastPathComponent().path)
    }

    /// Makes an empty file, 0600 from its first instant, unless there is one.
    static func makeIfMissing(_ path: String) throws(CatalogError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == EEXIST { return }
        guard descriptor >= 0 else { throw .system(errno, "make the file \(path)") }
        close(descriptor)
    }

    /// Makes a file that has all of its bytes or does not exist, whenever the machine stops.
    /// The caller holds the ``OpeningLock``, so that nobody makes the same file.
    static func make(_ path: String, _ bytes: [UInt8]) throws(CatalogError) {
        let draft = path + ".new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(errno, "make the file \(draft)") }
        defer { close(descriptor) }
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw .system(errno, "write the file \(draft)")
        }
        guard rename(draft, path) == 0 else { throw .system(errno, "rename \(draft) to \(path)") }
        try syncDirectory(URL(filePath: path).deletingLastPathComponent().path)
    }

    /// Takes every right of others away. A file that is not there counts as done.
    static func restrict(_ path: String) throws(CatalogError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system(errno, "look at \(path)")
        }
        guard status.st_mode & 0o777 != 0o600 else { return }
        guard chmod(path, 0o600) == 0 else { throw .system(errno, "restrict the permissions of \(path)") }
    }

    private static func syncDirectory(_ path: String) throws(CatalogError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(errno, "open the folder \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system(errno, "make the folder \(path) durable") }
    }
}
