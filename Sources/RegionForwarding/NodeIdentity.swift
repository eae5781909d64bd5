public import Foundation
public import NIOSSL
import Synchronization

/// Who a node is: its name, and the certificate that proves it, which may be replaced while the node runs.
///
/// The private authority is the only root, in both directions. A server therefore takes any node of the fleet and reads its
/// name from the certificate; a client takes only the node it means, and reads the name likewise.
///
/// Whoever makes connections looks at ``generation`` before each: a new one means a new certificate, for new connections.
public final class NodeIdentity: Sendable {
    /// The node the certificate names; the same as long as the node runs.
    public let name: String
    private let files: NodeCredentials.Files
    private let state: Mutex<(credentials: NodeCredentials, generation: UInt64)>

    /// - Parameters: paths of PEM files: the node's certificate, its private key, and the certificates of the authorities it trusts.
    /// - Throws: `fileFailed`, `invalidCertificate`.
    public init(certificate: String, privateKey: String, authority: String) throws(ForwardingError) {
        files = NodeCredentials.Files(certificate: certificate, privateKey: privateKey, authority: authority)
        let credentials = try NodeCredentials(files)
        name = credentials.certificate.node
        state = Mutex((credentials, 0))
    }

    /// As ``CertificateAuthority`` lays the files out.
    public convenience init(directory: String, node: String) throws(ForwardingError) {
        try NodeName.check(node)
        try self.init(
            certificate: "\(directory)/\(node).pem", privateKey: "\(directory)/\(node).key", authority: "\(directory)/ca.pem")
    }

    /// Counts how often the certificate has been replaced.
    public var generation: UInt64 { state.withLock { $0.generation } }

    public var certificate: NodeCertificate { state.withLock { $0.credentials.certificate } }

    /// For the peers' server: a client without a certificate of the authority is refused in the handshake.
    public var serverConfiguration: TLSConfiguration { state.withLock { $0.credentials }.serverConfiguration }

    /// For the client: the server must show a certificate with the name or the address it is called by.
    public var clientConfiguration: TLSConfiguration { state.withLock { $0.credentials }.clientConfiguration }

    /// Reads the files anew. Whatever is wrong with them, the present certificate then stays in use.
    ///
    /// - Returns: whether they hold something new, which counts for new connections from now on.
    /// - Throws: `fileFailed`; `invalidCertificate`, also for one of another node, or that is not valid at `now`.
    public func reload(now: Date = Date()) throws(ForwardingError) -> Bool {
        let credentials = try NodeCredentials(files)
        guard state.withLock({ $0.credentials.digest != credentials.digest }) else { return false }
        let certificate = credentials.certificate
        guard certificate.node == name else {
            throw ForwardingError(.invalidCertificate, "\(files.certificate) is of node \(certificate.node), and this is \(name).")
        }
        guard certificate.validFrom <= now, now < certificate.validUntil else {
            throw ForwardingError(
                .invalidCertificate,
                "\(files.certificate) is valid from \(certificate.validFrom) to \(certificate.validUntil) only. Make a new one.")
        }
        return state.withLock { state in
            state = (credentials, state.generation + 1)
            return true
        }
    }
}
