internal import CArchive
internal import Glibc
public import SystemPackage

/// Makes a deployment package of a folder: the other end of ``ZipExtractor``, written with libarchive (archive_write(3)).
///
/// The same files give the same bytes: names are sorted, and times and owners left out.
public enum ZipPackager {
    /// - Parameter folder: regular files and folders; symbolic links are packed as links.
    /// - Returns: the zip's bytes.
    /// - Throws: `empty` when there is no file, `storageFailed` for what cannot be read, `unsupportedEntry` for devices and the like.
    public static func package(folder: FilePath) throws(ContentError) -> [UInt8] {
        let output = Output()
        guard let archive = archive_write_new() else {
            throw ContentError(.storageFailed, "Could not make the package: out of memory. Try again later.")
        }
        defer { archive_write_free(archive) }
        archive_write_set_format_zip(archive)
        // SAFETY: the box outlives the archive, which is freed in this scope.
        let opened = archive_write_open(
            archive, Unmanaged.passUnretained(output).toOpaque(), nil,
            { _, context, bytes, count in
                guard let context, let bytes else { return -1 }
                Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
                    .bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
                return count
            }, nil)
        guard opened == ARCHIVE_OK else { throw failure(archive) }
        var count = 0
        try add(folder: folder, named: "", to: archive, &count)
        guard count > 0 else { throw .emptyPackage }
        guard archive_write_close(archive) == ARCHIVE_OK else { throw failure(archive) }
        return output.bytes
    }

    private final class Output {
        var bytes: [UInt8] = []
    }

    private static func add(
        folder: FilePath, named prefix: String, to archive: OpaquePointer, _ count: inout Int
    ) throws(ContentError) {
        for component in try FileSystem.names(in: folder).sorted(by: { $0.string < $1.string }) {
            let path = folder.appending(component)
            let name = prefix + component.string
            var status = stat()
            guard path.withPlatformString({ lstat($0, &status) }) == 0 else {
                throw .system(Errno(rawValue: errno), "read \(path)")
            }
            switch status.st_mode & S_IFMT {
            case S_IFDIR:
                try add(folder: path, named: name + "/", to: archive, &count)
            case S_IFREG:
                try add(file: path, named: name, isExecutable: status.st_mode & 0o111 != 0, to: archive)
                count += 1
            case S_IFLNK:
                try add(link: path, named: name, to: archive)
                count += 1
            default:
                throw ContentError(.unsupportedEntry, "\(path) is neither file, folder nor link. Leave it out of the package.")
            }
        }
    }

    private static func add(file: FilePath, named name: String, isExecutable: Bool, to archive: OpaquePointer) throws(ContentError) {
        let bytes = try FileSystem.attempt("read \(file)") {
            let descriptor = try FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
            return try descriptor.closeAfter {
                let size = Int(try descriptor.seek(offset: 0, from: .end))
                return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    count = try descriptor.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))
                }
            }
        }
        try withEntry(name, mode: isExecutable ? 0o755 : 0o644, type: S_IFREG) { (entry) throws(ContentError) in
            archive_entry_set_size(entry, Int64(bytes.count))
            guard archive_write_header(archive, entry) == ARCHIVE_OK,
                bytes.withUnsafeBytes({ archive_write_data(archive, $0.baseAddress, $0.count) }) == bytes.count
            else { throw failure(archive) }
        }
    }

    private static func add(link: FilePath, named name: String, to archive: OpaquePointer) throws(ContentError) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard link.withPlatformString({ readlink($0, &buffer, Int(PATH_MAX)) }) >= 0 else {
            throw .system(Errno(rawValue: errno), "read \(link)")
        }
        try withEntry(name, mode: 0o777, type: S_IFLNK) { (entry) throws(ContentError) in
            archive_entry_set_symlink(entry, buffer)
            guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw failure(archive) }
        }
    }

    private static func withEntry(
        _ name: String, mode: mode_t, type: mode_t, _ body: (OpaquePointer) throws(ContentError) -> Void
    ) throws(ContentError) {
        guard let entry = archive_entry_new() else {
            throw ContentError(.storageFailed, "Could not make the package: out of memory. Try again later.")
        }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname_utf8(entry, name)
        archive_entry_set_filetype(entry, UInt32(type))
        archive_entry_set_perm(entry, mode)
        // 1980-01-01, the earliest time a zip can say.
        archive_entry_set_mtime(entry, 315_532_800, 0)
        try body(entry)
    }

    private static func failure(_ archive: OpaquePointer) -> ContentError {
        let detail = archive_error_string(archive).map { String(cString: $0) } ?? "no details"
        return ContentError(.storageFailed, "Could not make the package: \(detail).")
    }
}
