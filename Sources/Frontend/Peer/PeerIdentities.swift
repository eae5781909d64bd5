import NIOCore
import NIOSSL
import RegionForwarding
import Synchronization

/// The node names of those who connect, read from their certificates.
///
/// Reading a certificate takes longer than all else a small call needs here, and a fleet has few, so names are remembered.
final class PeerIdentities: Sendable {
    /// Certificates remembered; when there are more, all are forgotten and read anew.
    private static let rememberedMax = 256

    private let names = Mutex<[NIOSSLCertificate: String]>([:])

    /// The node at the other end of an HTTP/2 stream, whose connection's handshake has verified its certificate.
    ///
    /// This is also where a connection is first seen, so ``RecordWriter`` is put into it here.
    /// - Throws: `forbidden` when the connection is not HTTP/2 over TLS; `invalidCertificate` when no node is named.
    func name(of stream: any Channel) async throws(ForwardingError) -> String {
        guard let certificate = await Self.certificate(of: stream) else {
            throw ForwardingError(.forbidden, "Nodes speak HTTP/2 over TLS with a certificate of their own.")
        }
        if let name = names.withLock({ $0[certificate] }) { return name }
        guard let bytes = try? certificate.toDERBytes() else {
            throw ForwardingError(.forbidden, "The certificate cannot be read.")
        }
        let name = try NodeCertificate.nodeName(derEncoded: bytes)
        names.withLock { names in
            if names.count >= Self.rememberedMax { names.removeAll() }
            names[certificate] = name
        }
        return name
    }

    /// - Returns: `nil` when the parent of the channel is no TLS connection; for HTTP/1.1 it is the listening socket.
    private static func certificate(of stream: any Channel) async -> NIOSSLCertificate? {
        guard let connection = stream.parent else { return nil }
        let certificate = connection.eventLoop.submit {
            try RecordWriter.install(on: connection)
            return try connection.pipeline.syncOperations.nioSSL_peerCertificate()
        }
        return try? await certificate.get()
    }
}
