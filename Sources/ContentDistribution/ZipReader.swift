import CArchive
import Glibc
import SystemPackage

/// A zip archive in memory, read with libarchive (archive_read(3)).
///
/// Only the reader that starts from the archive's central directory is enabled. The streaming one would also accept
/// archives cut off in the middle, and would see other entries than Python and Node do where the two disagree.
struct ZipReader: ~Copyable {
    struct Entry {
        enum Kind {
            case file(isExecutable: Bool)
            case folder
            case link(target: FilePath)
        }
        /// As the archive has it: unchecked.
        var name: FilePath
        var kind: Kind
    }

    private let archive: OpaquePointer
    private let previousLocale: locale_t?
    private let locale: locale_t?

    /// - Parameter bytes: must stay valid while the reader lives.
    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(ContentError) {
        archive = try Self.open(bytes)
        // libarchive translates UTF-8 names to the thread's locale, and a daemon's is "C", which cannot express them.
        locale = newlocale(1 << LC_CTYPE, "C.UTF-8", nil)
        previousLocale = uselocale(locale)
    }

    deinit {
        archive_read_free(archive)
        uselocale(previousLocale)
        if let locale { freelocale(locale) }
    }

    /// - Returns: the next entry, or `nil` after the last.
    mutating func next() throws(ContentError) -> Entry? {
        var pointer: OpaquePointer?
        let status = archive_read_next_header(archive, &pointer)
        guard status != ARCHIVE_EOF else { return nil }
        if let pointer, archive_entry_is_encrypted(pointer) != 0 {
            throw ContentError(.encrypted, "The package is encrypted. Make it without a password.")
        }
        // A warning means that two parts of the archive disagree, or a name is not in the encoding it claims.
        guard status == ARCHIVE_OK, let pointer else { throw damaged() }
        guard let rawName = archive_entry_pathname(pointer) else {
            throw ContentError(.unsafeName, "The package holds an entry without a name. Make the package anew.")
        }
        let name = FilePath(platformString: rawName)
        return Entry(name: name, kind: try kind(of: pointer, name))
    }

    /// Hands over the contents of the entry that `next()` returned last, piece by piece.
    mutating func forEachPiece(_ body: (UnsafeRawBufferPointer) throws(ContentError) -> Void) throws(ContentError) {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let status = archive_read_data_block(archive, &start, &count, &offset)
            if status == ARCHIVE_EOF { return }
            guard status == ARCHIVE_OK else { throw damaged() }
            try body(UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    private static func open(_ bytes: UnsafeBufferPointer<UInt8>) throws(ContentError) -> OpaquePointer {
        guard let archive = archive_read_new() else {
            throw ContentError(.storageFailed, "Could not read the package: out of memory. Try again later.")
        }
        archive_read_support_format_zip_seekable(archive)
        guard archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK else {
            archive_read_free(archive)
            // Nothing but the record that ends a central directory: libarchive does not recognise that.
            if bytes.starts(with: [0x50, 0x4B, 0x05, 0x06]) { throw .emptyPackage }
            throw ContentError(
                .notAZip,
                """
                The package is not a zip archive, or is cut off. Make it with zip(1) or `python3 -m zipfile`, \
                then upload it again.
                """)
        }
        return archive
    }

    private func kind(of entry: OpaquePointer, _ name: FilePath) throws(ContentError) -> Entry.Kind {
        guard archive_entry_hardlink(entry) == nil else { throw unsupported("hard link", name) }
        switch archive_entry_filetype(entry) {
        case S_IFREG: return .file(isExecutable: archive_entry_perm(entry) & 0o111 != 0)
        case S_IFDIR: return .folder
        case S_IFLNK:
            guard let target = archive_entry_symlink(entry) else { throw damaged() }
            return .link(target: FilePath(platformString: target))
        case S_IFCHR, S_IFBLK: throw unsupported("device", name)
        // The type of a named pipe never gets here: libarchive's zip reader turns it into a regular file.
        default: throw unsupported("special file", name)
        }
    }

    private func unsupported(_ what: String, _ name: FilePath) -> ContentError {
        ContentError(
            .unsupportedEntry,
            "The package holds the \(what) \(name.quoted). Put only files, folders and symbolic links in it.")
    }

    private func damaged() -> ContentError {
        let detail = archive_error_string(archive).map { String(cString: $0) } ?? "no details"
        return ContentError(.corrupt, "The package is damaged (\(detail)). Make it anew, then upload it again.")
    }
}
