import Crypto
import Foundation
import NIOCore
import NIOSSL

/// Certificate and key of a node, with the authorities it trusts, as its files had them at one moment.
struct NodeCredentials: Sendable {
    /// Where they are: PEM files. The authority's may have several certificates: while one authority follows another, both.
    struct Files: Hashable, Sendable {
        var certificate: String
        var privateKey: String
        var authority: String
    }

    let certificate: NodeCertificate
    /// Of the files' bytes: equal when nothing has changed.
    let digest: SHA256.Digest
    private let chain: [NIOSSLCertificate]
    private let key: NIOSSLPrivateKey
    private let authorities: [NIOSSLCertificate]

    /// - Throws: `fileFailed`; `invalidCertificate`, also when the key is not that of the certificate.
    init(_ files: Files) throws(ForwardingError) {
        let texts = (
            try CertificateFile.load(files.certificate), try CertificateFile.load(files.privateKey),
            try CertificateFile.load(files.authority)
        )
        let chain = try NodeCertificate.wrapped("Cannot read \(files.certificate)") {
            try NIOSSLCertificate.fromPEMBytes(Array(texts.0.utf8))
        }
        key = try NodeCertificate.wrapped("Cannot read \(files.privateKey)") {
            try NIOSSLPrivateKey(bytes: Array(texts.1.utf8), format: .pem)
        }
        authorities = try NodeCertificate.wrapped("Cannot read \(files.authority)") {
            try NIOSSLCertificate.fromPEMBytes(Array(texts.2.utf8))
        }
        guard let leaf = chain.first else {
            throw ForwardingError(.invalidCertificate, "\(files.certificate) has no certificate in it.")
        }
        certificate = try NodeCertificate(
            derEncoded: try NodeCertificate.wrapped("Cannot read \(files.certificate)") { try leaf.toDERBytes() })
        self.chain = chain
        digest = SHA256.hash(data: Data([texts.0, texts.1, texts.2].joined(separator: "\0").utf8))
        let server = serverConfiguration
        _ = try NodeCertificate.wrapped("\(files.privateKey) is not the key of \(files.certificate)") {
            try NIOSSLContext(configuration: server)
        }
    }

    /// How long the other end may take to agree that a connection is closed.
    private static let closeMax = TimeAmount.seconds(1)

    var serverConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = .certificates(authorities)
        configuration.certificateVerification = .noHostnameVerification
        configuration.shutdownTimeout = Self.closeMax
        return configuration
    }

    var clientConfiguration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = .certificates(authorities)
        configuration.certificateVerification = .fullVerification
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(key)
        return configuration
    }
}
