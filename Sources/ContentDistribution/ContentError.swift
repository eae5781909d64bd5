import SystemPackage

/// Why a package was refused, or why the store could not keep or find one.
public struct ContentError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is; the front end maps each to one answer of the API.
    public enum Code: String, Sendable, CaseIterable {
        // The package is at fault.
        /// The bytes are no zip archive, or the archive is cut off before its directory.
        case notAZip = "not_a_zip"
        /// A zip archive whose contents are damaged or contradict themselves.
        case corrupt
        /// The archive, or an entry in it, needs a password.
        case encrypted
        /// The archive holds no file.
        case empty
        /// A name is absolute, holds `..`, or is empty.
        case unsafeName = "unsafe_name"
        /// A symbolic link could lead out of the bundle.
        case unsafeLink = "unsafe_link"
        /// An entry is neither file, folder nor symbolic link.
        case unsupportedEntry = "unsupported_entry"
        /// Two entries claim the same name.
        case duplicateName = "duplicate_name"
        /// A name is too long or too deeply nested.
        case nameTooLong = "name_too_long"
        /// More files, folders and links than permitted.
        case tooManyEntries = "too_many_entries"
        /// More unzipped bytes than permitted.
        case tooLarge = "too_large"

        // The store is at fault.
        /// The bytes do not have the digest they were asked for or stored under.
        case digestMismatch = "digest_mismatch"
        /// Nothing is stored under the digest.
        case notFound = "not_found"
        /// The disk or the quota is full.
        case storageFull = "storage_full"
        /// Any other failure of the file system.
        case storageFailed = "storage_failed"
    }

    public let code: Code
    /// What failed and what to do about it, in one or two sentences. Names from the package are quoted in it.
    public let message: String
    /// The error beneath, where there is one.
    public let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    static let emptyPackage = ContentError(.empty, "The package holds no file. Put the function's code in it.")

    /// A system call failed.
    /// - Parameter action: what was being done, to follow "could not": "write /data/x".
    static func system(_ errno: Errno, _ action: String) -> ContentError {
        switch errno {
        case .noSpace, .diskQuotaExceeded:
            ContentError(
                .storageFull, "Could not \(action): the disk is full. Free space or raise the quota, then try again.",
                cause: errno)
        default:
            ContentError(
                .storageFailed, "Could not \(action): \(errno). Check the data directory and its permissions.",
                cause: errno)
        }
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
