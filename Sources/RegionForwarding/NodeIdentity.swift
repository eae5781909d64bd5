public import NIOSSL

/// A node's certificate and key with the authority it trusts: all that mutual TLS between nodes needs.
///
/// The private authority is the only root, in both directions. A server therefore takes any node of the fleet and reads its
/// name from the certificate; a client takes only the node it means, and reads the name likewise.
public struct NodeIdentity: Sendable {
    /// The node the certificate names.
    public let name: String
    private let chain: [NIOSSLCertificate]
    private let key: NIOSSLPrivateKey
    private let authority: [NIOSSLCertificate]

    /// - Parameters: paths of PEM files: the node's certificate, its private key, the authority's certificate.
    /// - Throws: `fileFailed`, `invalidCertificate`.
    public init(certificate: String, privateKey: String, authority: String) throws(ForwardingError) {
        let texts = (
            try CertificateFile.load(certificate), try CertificateFile.load(privateKey), try CertificateFile.load(authority)
        )
        let chain = try NodeCertificate.wrapped("Cannot read \(certificate)") {
            try NIOSSLCertificate.fromPEMBytes(Array(texts.0.utf8))
        }
        key = try NodeCertificate.wrapped("Cannot read \(privateKey)") {
            try NIOSSLPrivateKey(bytes: Array(texts.1.utf8), format: .pem)
        }
        self.authority = try NodeCertificate.wrapped("Cannot read \(authority)") {
            try NIOSSLCertificate.fromPEMBytes(Array(texts.2.utf8))
        }
        guard let leaf = chain.first else { throw ForwardingError(.invalidCertificate, "\(certificate) has no certificate in it.") }
        let bytes = try NodeCertificate.wrapped("Cannot read \(certificate)") { try leaf.toDERBytes() }
        name = try NodeCertificate.nodeName(derEncoded: bytes)
        self.chain = chain
    }

    /// As ``CertificateAuthority`` lays the files out.
    public init(directory: String, node: String) throws(ForwardingError) {
        try NodeName.check(node)
        try self.init(
            certificate: "\(directory)/\(node).pem", privateKey: "\(directory)/\(node).key", authority: "\(directory)/ca.pem")
    }

    /// For the peers' server: a client without a certificate of the authority is refused in the handshake.
    public var serverConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = .certificates(authority)
        configuration.certificateVerification = .noHostnameVerification
        return configuration
    }

    /// For the client: the server must show a certificate with the name or the address it is called by.
    public var clientConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = .certificates(authority)
        configuration.certificateVerification = .fullVerification
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(key)
        return configuration
    }
}
