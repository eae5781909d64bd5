import Crypto
import Foundation
import SwiftASN1
import X509

/// The private certificate authority of one fleet, kept as two PEM files in a directory.
///
/// ```
/// <directory>/
///   ca.pem  ca.key            10 years; every node needs ca.pem, no node needs ca.key
///   <node>.pem  <node>.key    1 year unless told; a node needs its own two
/// ```
///
/// Private keys have mode 0600, and nothing is replaced unasked. A node's certificate serves both directions: it is shown by
/// the node's server and by its client.
public struct CertificateAuthority: Sendable {
    /// The common name of the authority's certificate.
    static let commonName = "Wayside private CA"
    /// How long before its making a certificate counts, for nodes whose clocks are behind.
    static let clockAllowance: TimeInterval = 3600
    /// Its files are `ca.pem` and `ca.key`, so no node may have this name.
    static let reservedName = "ca"

    private let directory: String
    private let certificate: Certificate
    private let key: Certificate.PrivateKey

    /// Makes a new authority, and the directory if it is not there (its parent must be).
    /// - Parameter days: validity.
    /// - Throws: `fileExists` when there is one and it is not to be replaced; `fileFailed`.
    public static func create(
        in directory: String, days: Int = 3650, replacing: Bool = false
    ) throws(ForwardingError) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        let signer = Certificate.PrivateKey(key)
        let certificate = try NodeCertificate.wrapped("Cannot make the certificate of the authority") {
            let name = try DistinguishedName { CommonName(commonName) }
            return try Certificate(
                version: .v3, serialNumber: .init(), publicKey: signer.publicKey, notValidBefore: Date() - clockAllowance,
                notValidAfter: Date() + TimeInterval(days) * 86_400, issuer: name, subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: signer.publicKey)
                }, issuerPrivateKey: signer)
        }
        try CertificateFile.makeDirectory(directory)
        try write(certificate, key: key, as: reservedName, in: directory, replacing: replacing)
        return CertificateAuthority(directory: directory, certificate: certificate, key: signer)
    }

    /// Reads the authority that is there, to add a node.
    /// - Throws: `fileFailed`, `invalidCertificate`.
    public init(directory: String) throws(ForwardingError) {
        let certificateText = try CertificateFile.load("\(directory)/ca.pem")
        let keyText = try CertificateFile.load("\(directory)/ca.key")
        let certificate = try NodeCertificate.wrapped("Cannot read \(directory)/ca.pem") {
            try Certificate(pemEncoded: certificateText)
        }
        let key = try NodeCertificate.wrapped("Cannot read \(directory)/ca.key") { try Certificate.PrivateKey(pemEncoded: keyText) }
        guard key.publicKey == certificate.publicKey else {
            throw ForwardingError(
                .invalidCertificate, "\(directory)/ca.key is not the key of ca.pem. Restore the pair from a backup.")
        }
        self.init(directory: directory, certificate: certificate, key: key)
    }

    private init(directory: String, certificate: Certificate, key: Certificate.PrivateKey) {
        self.directory = directory
        self.certificate = certificate
        self.key = key
    }

    /// Whether `directory` has an authority, or a part of one.
    public static func exists(in directory: String) -> Bool {
        CertificateFile.exists("\(directory)/ca.pem") || CertificateFile.exists("\(directory)/ca.key")
    }

    /// Makes key and certificate of one node.
    /// - Parameters:
    ///   - node: see ``NodeName``; peers verify the certificate by it.
    ///   - hosts: DNS names and IP addresses that other programs may verify the node's certificate by.
    ///   - forwarding: for which accounts it may forward.
    ///   - days: validity.
    /// - Throws: `invalidName`, `fileExists`, `fileFailed`, `invalidCertificate`.
    public func issue(
        node: String, hosts: [String], forwarding: ForwardingRight = .all, days: Int = 365, replacing: Bool = false
    ) throws(ForwardingError) {
        try NodeName.check(node)
        guard node != Self.reservedName else {
            throw ForwardingError(.invalidName, "A node cannot be called \(node), which names the files of the authority.")
        }
        var names: [GeneralName] = [.uniformResourceIdentifier(NodeCertificate.uriPrefix + node), .dnsName(node)]
        for uri in forwarding.uris { names.append(.uniformResourceIdentifier(uri)) }
        for host in hosts where host != node {
            names.append(try Self.alternativeName(host))
        }
        let nodeKey = P256.Signing.PrivateKey()
        let publicKey = Certificate.PrivateKey(nodeKey).publicKey
        let issued = try NodeCertificate.wrapped("Cannot make the certificate of \(node)") {
            try Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey, notValidBefore: Date() - Self.clockAllowance,
                notValidAfter: Date() + TimeInterval(days) * 86_400, issuer: certificate.subject,
                subject: try DistinguishedName { CommonName(node) },
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    SubjectAlternativeNames(names)
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: key.publicKey).keyIdentifier)
                }, issuerPrivateKey: key)
        }
        try Self.write(issued, key: nodeKey, as: node, in: directory, replacing: replacing)
    }

    /// The key first: a certificate without its key would look complete to whoever lists the directory.
    private static func write(
        _ certificate: Certificate, key: P256.Signing.PrivateKey, as name: String, in directory: String, replacing: Bool
    ) throws(ForwardingError) {
        let keyPath = "\(directory)/\(name).key"
        let certificatePath = "\(directory)/\(name).pem"
        if !replacing {
            for path in [keyPath, certificatePath] where CertificateFile.exists(path) { throw CertificateFile.taken(path) }
        }
        let text = try NodeCertificate.wrapped("Cannot write \(certificatePath)") { try certificate.serializeAsPEM().pemString }
        try CertificateFile.store(key.pemRepresentation + "\n", to: keyPath, mode: 0o600, replacing: replacing)
        try CertificateFile.store(text + "\n", to: certificatePath, mode: 0o644, replacing: replacing)
    }

    private static func alternativeName(_ host: String) throws(ForwardingError) -> GeneralName {
        if let address = IPAddressBytes.parse(host) { return .ipAddress(ASN1OctetString(contentBytes: address[...])) }
        let labels = host.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        guard host.utf8.count <= 253, labels.allSatisfy({ NodeName.isValid($0) }) else {
            throw ForwardingError(.invalidName, "\(host) is neither an IP address nor a DNS name.")
        }
        return .dnsName(host.lowercased())
    }
}
