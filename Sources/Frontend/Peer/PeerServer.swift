public import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
public import RegionForwarding

/// The server other nodes forward to: HTTP/2 over TLS 1.3, for holders of a certificate of the fleet's authority only.
public enum PeerServer {
    /// - Parameters:
    ///   - address: where to listen; port 0 for any free one, told to `onServerRunning`.
    ///   - identity: this node's certificate; when it is replaced, new connections get the new one.
    ///   - onServerRunning: called once with the listening channel.
    /// - Returns: a service. A graceful shutdown lets calls under way end, within the limits' `drainTimeout`. Say `isDraining` for
    ///   longer than peers take between two probes before it: a call that crosses the news of a shutdown on the wire is refused,
    ///   and with it the server closes the connection and the calls on it.
    public static func application(
        address: BindAddress, identity: NodeIdentity, services: PeerServices, limits: PeerLimits = .init(),
        eventLoopGroup: (any EventLoopGroup)? = nil, logger: Logger,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) -> some ApplicationProtocol {
        let identities = PeerIdentities()
        let invocations = PeerInvocations(services: services, limits: limits, identities: identities, logger: logger)
        return Application(
            responder: PeerResponder(services: services, limits: limits, identities: identities),
            server: HTTPServerBuilder {
                try PeerChannel(responder: $0, invocations: invocations, limits: limits, tls: RenewedTLS(identity, logger))
            },
            configuration: ApplicationConfiguration(address: address), onServerRunning: onServerRunning,
            eventLoopGroupProvider: eventLoopGroup.map { .shared($0) } ?? .singleton, logger: logger)
    }
}
