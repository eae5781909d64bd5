import Foundation
import Logging
import NIOCore
import NIOSSL
import RegionForwarding
import Synchronization

/// The certificates of those who connect.
///
/// Reading a certificate takes longer than all else a small call needs here, and a fleet has few, so they are remembered.
final class PeerIdentities: Sendable {
    /// Certificates remembered; when there are more, all are forgotten and read anew.
    private static let rememberedMax = 256

    private let known = Mutex<[NIOSSLCertificate: NodeCertificate]>([:])

    /// What the node at the other end of an HTTP/2 stream has shown, and the connection's handshake has verified.
    ///
    /// - Throws: `forbidden` when the connection is not HTTP/2 over TLS, or the certificate has expired since its handshake;
    ///   `invalidCertificate` when no node is named.
    func certificate(of stream: any Channel, logger: Logger) async throws(ForwardingError) -> NodeCertificate {
        guard let shown = await Self.certificate(of: stream) else {
            throw ForwardingError(.forbidden, "Nodes speak HTTP/2 over TLS with a certificate of their own.")
        }
        return try certificate(shown, logger)
    }

    /// As ``certificate(of:logger:)``, of a connection whose certificate is at hand.
    func certificate(_ shown: NIOSSLCertificate, _ logger: Logger) throws(ForwardingError) -> NodeCertificate {
        let certificate = if let found = known.withLock({ $0[shown] }) { found } else { try read(shown, logger) }
        guard Date() < certificate.validUntil else {
            throw ForwardingError(.forbidden, "The certificate of \(certificate.node) has expired. Replace it and connect anew.")
        }
        return certificate
    }

    private func read(_ shown: NIOSSLCertificate, _ logger: Logger) throws(ForwardingError) -> NodeCertificate {
        guard let bytes = try? shown.toDERBytes() else {
            throw ForwardingError(.forbidden, "The certificate cannot be read.")
        }
        let certificate = try NodeCertificate(derEncoded: bytes)
        logger.info(
            "A peer shows a certificate.",
            metadata: [
                "peer": "\(certificate.node)", "serial": "\(certificate.serial)", "until": "\(certificate.validUntil)",
                "forwards": "\(certificate.forwarding)",
            ])
        known.withLock { known in
            if known.count >= Self.rememberedMax { known.removeAll() }
            known[shown] = certificate
        }
        return certificate
    }

    /// - Returns: `nil` when the parent of the channel is no TLS connection; for HTTP/1.1 it is the listening socket.
    private static func certificate(of stream: any Channel) async -> NIOSSLCertificate? {
        guard let connection = stream.parent else { return nil }
        let certificate = connection.eventLoop.submit {
            try connection.pipeline.syncOperations.nioSSL_peerCertificate()
        }
        return try? await certificate.get()
    }
}
