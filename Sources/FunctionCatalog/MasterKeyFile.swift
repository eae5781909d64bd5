import Crypto
import Foundation
import Glibc

/// The file `master.key`: 32 random bytes, made at the first start, never written again.
struct MasterKeyFile {
    let path: String

    /// Reads the key; makes one if there is none and nothing was sealed yet.
    /// - Parameter isNeeded: whether the database holds sealed values, which a new key could not open.
    /// - Throws: ``CatalogError/Code/masterKey`` if it is missing though needed, unreadable, or not 32 bytes long. A file of the
    ///   wrong size is never replaced: it may be what is left of the real one.
    func load(isNeeded: Bool) throws(CatalogError) -> SymmetricKey {
        if access(path, F_OK) != 0, errno == ENOENT {
            guard !isNeeded else {
                throw CatalogError(
                    .masterKey,
                    "\(path) is missing, but the database beside it holds secrets sealed with it. Put the file back from a backup. If "
                        + "it is lost, so are the access keys and environments: move catalog.sqlite away to begin anew.")
            }
            let key = SymmetricKey(size: .bits256)
            try PrivateFile.make(path, key.withUnsafeBytes { [UInt8]($0) })
            return key
        }
        try PrivateFile.restrict(path)
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw CatalogError(
                .masterKey, "\(path) cannot be read: \(error). Make it readable for the engine's user.", cause: error)
        }
        guard bytes.count == SecretSealer.keyLength else {
            throw CatalogError(
                .masterKey,
                "\(path) has \(bytes.count) bytes instead of \(SecretSealer.keyLength). Put the right file back from a backup.")
        }
        return SymmetricKey(data: bytes)
    }
}
