public import Foundation
import SwiftASN1
import X509

/// What a node's certificate says: the node is named by exactly one URI `wayside://node/<name>` among its alternative names, and its
/// rights by others (``ForwardingRight``).
public struct NodeCertificate: Hashable, Sendable {
    static let uriPrefix = "wayside://node/"

    public let node: String
    public let forwarding: ForwardingRight
    /// Hexadecimal, as openssl(1) prints it.
    public let serial: String
    public let validFrom: Date
    public let validUntil: Date

    /// Whether to believe it is for the TLS handshake to decide, before.
    /// - Parameter bytes: the certificate in DER.
    /// - Throws: `invalidCertificate` when it is none, names no node or several, or has a right that is none.
    public init(derEncoded bytes: [UInt8]) throws(ForwardingError) {
        let certificate = try Self.wrapped("Cannot read the certificate") { try Certificate(derEncoded: bytes) }
        let names = try Self.wrapped("Cannot read the names in the certificate") { try certificate.extensions.subjectAlternativeNames }
        var uris: [String] = []
        for case .uniformResourceIdentifier(let uri) in names ?? SubjectAlternativeNames() { uris.append(uri) }
        let nodes = uris.filter { $0.hasPrefix(Self.uriPrefix) }.map { $0.dropFirst(Self.uriPrefix.count) }
        guard nodes.count == 1, let node = nodes.first, NodeName.isValid(node) else {
            throw ForwardingError(.invalidCertificate, "The certificate names no node. Make it with `wayside cert`.")
        }
        self.node = String(node)
        forwarding = try ForwardingRight(uris: uris)
        serial = certificate.serialNumber.bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined().uppercased()
        validFrom = certificate.notValidBefore
        validUntil = certificate.notValidAfter
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
