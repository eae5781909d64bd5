import Crypto
import Foundation

/// Seals what must not be read from a copy of the database: AES-256-GCM under the master key (NIST SP 800-38D).
///
/// Each sealed value is bound to the place it belongs to, so that a value moved to another row does not open. Nonces are random; at the
/// rate of administrative changes the 2³² seals that 96 random bits allow are never reached.
struct SecretSealer: Sendable {
    /// Bytes in `master.key`.
    static let keyLength = 32

    private let key: SymmetricKey

    init(key: SymmetricKey) { self.key = key }

    /// - Parameter place: what the value is and whose, authenticated with it.
    func seal(_ value: Data, at place: String) throws(CatalogError) -> Data {
        do {
            guard let sealed = try AES.GCM.seal(value, using: key, authenticating: Data(place.utf8)).combined else {
                throw CatalogError(.storeFailed, "AES-GCM gave no sealed value. This build of the engine is broken.")
            }
            return sealed
        } catch {
            throw .wrapping(error, "seal the \(place)")
        }
    }

    func open(_ sealed: Data, at place: String) throws(CatalogError) -> Data {
        do {
            return try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key, authenticating: Data(place.utf8))
        } catch {
            throw CatalogError(
                .masterKey,
                "The \(place) does not open with this master.key. Put back the master.key that was made with this database, or restore "
                    + "both from the same backup.", cause: error)
        }
    }
}
