import SwiftASN1
import X509

/// What a node's certificate says: the node is named by exactly one URI `wayside://node/<name>` among its alternative names.
public enum NodeCertificate {
    static let uriPrefix = "wayside://node/"

    /// The node a certificate names. Whether to believe it is for the TLS handshake to decide, before.
    /// - Parameter bytes: the certificate in DER.
    /// - Throws: `invalidCertificate` when it is none or names no node or several.
    public static func nodeName(derEncoded bytes: [UInt8]) throws(ForwardingError) -> String {
        try nodeName(of: wrapped("Cannot read the certificate") { try Certificate(derEncoded: bytes) })
    }

    static func nodeName(of certificate: Certificate) throws(ForwardingError) -> String {
        let names = try wrapped("Cannot read the names in the certificate") { try certificate.extensions.subjectAlternativeNames }
        var nodes: [Substring] = []
        for case .uniformResourceIdentifier(let uri) in names ?? SubjectAlternativeNames() where uri.hasPrefix(uriPrefix) {
            nodes.append(uri.dropFirst(uriPrefix.count))
        }
        guard nodes.count == 1, let node = nodes.first, NodeName.isValid(node) else {
            throw ForwardingError(.invalidCertificate, "The certificate names no node. Make it with `wayside cert`.")
        }
        return String(node)
    }

    /// Turns the many errors of the certificate library into `invalidCertificate`.
    static func wrapped<Value>(_ what: String, _ body: () throws -> Value) throws(ForwardingError) -> Value {
        do {
            return try body()
        } catch {
            throw ForwardingError(.invalidCertificate, "\(what): \(error).")
        }
    }
}
