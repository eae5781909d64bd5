import Logging
import NIOSSL
import RegionForwarding
import Synchronization

/// Gives each new connection the certificate that the node has then; connections that are there keep theirs.
final class RenewedTLS: Sendable {
    private let identity: NodeIdentity
    private let logger: Logger
    private let present: Mutex<(context: NIOSSLContext, generation: UInt64)>

    init(_ identity: NodeIdentity, _ logger: Logger) throws {
        self.identity = identity
        self.logger = logger
        let generation = identity.generation
        present = Mutex((try Self.context(identity), generation))
    }

    /// For a connection that is made now.
    var context: NIOSSLContext {
        present.withLock { present in
            let generation = identity.generation
            guard present.generation != generation else { return present.context }
            present.generation = generation
            do {
                present.context = try Self.context(identity)
            } catch {
                logger.error("TLS cannot be set up with the new certificate; the old one stays in use.", metadata: ["error": "\(error)"])
            }
            return present.context
        }
    }

    private static func context(_ identity: NodeIdentity) throws -> NIOSSLContext {
        var tls = identity.serverConfiguration
        tls.applicationProtocols = ["h2"]
        return try NIOSSLContext(configuration: tls)
    }
}
