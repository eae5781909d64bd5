import EngineCore
import GRDB
import Glibc

/// Why the catalog refused a request, or why its store could not keep or answer one.
public struct CatalogError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is; the front end maps each to one answer of the API.
    public enum Code: String, Sendable, CaseIterable {
        // The request does not fit what is there.
        /// No such function, or no such version of it.
        case functionNotFound = "function_not_found"
        /// The account has a function of this name in this region.
        case functionExists = "function_exists"
        /// `$LATEST` has another revision than the caller expects: somebody else changed it.
        case revisionMismatch = "revision_mismatch"
        /// Something else was changed between the rehearsal of a change and the change.
        case changedMeanwhile = "changed_meanwhile"
        /// `$LATEST` has other code than the caller expects.
        case codeDigestMismatch = "code_digest_mismatch"
        /// `$LATEST` goes only together with its function.
        case latestNotDeletable = "latest_not_deletable"
        /// An account has this number already.
        case accountExists = "account_exists"
        /// No account has this number.
        case accountNotFound = "account_not_found"
        /// The account has no such access key.
        case accessKeyNotFound = "access_key_not_found"
        /// A paging marker that no earlier page of this list gave.
        case markerInvalid = "marker_invalid"
        /// A reservation or provision that does not fit the account's others; the cause is a ``ConcurrencyRefusal``.
        case concurrencyRefused = "concurrency_refused"
        /// One of ``CatalogLimits`` is reached.
        case limitReached = "limit_reached"

        // The store is at fault.
        /// The master key is missing, damaged, or not the one the database was sealed with.
        case masterKey = "master_key"
        /// The disk, the quota or the configured size of the database is full. Nothing was changed.
        case storeFull = "store_full"
        /// Any other failure of the database or the file system. Nothing was changed.
        case storeFailed = "store_failed"
    }

    public let code: Code
    /// What failed and what to do about it, in one or two sentences.
    public let message: String
    /// The error beneath, where there is one.
    public let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

extension CatalogError {
    static func functionNotFound(_ key: FunctionKey, _ version: FunctionVersion = .latest) -> CatalogError {
        let arn = version == .latest ? key.arn : key.arn(qualifier: version.description)
        return CatalogError(.functionNotFound, "Function not found: \(arn). Check the name, the region and the version.")
    }

    static func accountNotFound(_ account: AccountID) -> CatalogError {
        CatalogError(.accountNotFound, "There is no account \(account). Create it first.")
    }

    static func limitReached(_ name: String, _ limit: Int) -> CatalogError {
        CatalogError(.limitReached, "The limit \(name) of \(limit) is reached. Delete what is no longer needed or raise the limit.")
    }

    static func concurrency(_ refusal: ConcurrencyRefusal) -> CatalogError {
        CatalogError(.concurrencyRefused, refusal.description, cause: refusal)
    }

    static func damaged(_ what: String, cause: (any Error)? = nil) -> CatalogError {
        CatalogError(
            .storeFailed, "The catalog holds \(what) that cannot be read. Restore the database from a backup.", cause: cause)
    }

    /// An error of SQLite, of a codec, or one of this module's own, which stays as it is.
    /// - Parameter action: what was being done, to follow "could not": "create the account".
    static func wrapping(_ error: any Error, _ action: String) -> CatalogError {
        switch error {
        case let error as CatalogError:
            return error
        case let error as DatabaseError where error.resultCode == .SQLITE_FULL:
            return CatalogError(
                .storeFull,
                "Could not \(action): the disk or the database is full. Free space or raise databaseSize, then try again.",
                cause: error)
        case let error as DatabaseError where error.resultCode == .SQLITE_BUSY:
            return CatalogError(
                .storeFailed, "Could not \(action): another process kept the catalog locked for too long. Try again.", cause: error)
        default:
            return CatalogError(
                .storeFailed, "Could not \(action): \(error). Check the disk and the permissions of the data directory.",
                cause: error)
        }
    }

    /// A system call failed.
    static func system(_ number: CInt, _ action: String) -> CatalogError {
        let reason = String(cString: strerror(number))
        switch number {
        case ENOSPC, EDQUOT:
            return CatalogError(.storeFull, "Could not \(action): \(reason). Free space or raise the quota, then try again.")
        default:
            return CatalogError(
                .storeFailed, "Could not \(action): \(reason). Check the data directory and its permissions.")
        }
    }
}
