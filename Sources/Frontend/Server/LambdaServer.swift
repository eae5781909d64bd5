public import EngineCore
import HummingbirdCore
import HummingbirdHTTP2
public import Logging
public import NIOCore
public import ServiceLifecycle

/// Serves the Lambda API to clients, over HTTP/1.1 or, with a certificate, over HTTP/1.1 and HTTP/2.
///
/// ```
/// head ─► route, claim of a signature ─► body (hashed as it arrives) ─► signature ─► operation ─► answer
/// ```
public final class LambdaServer: Service {
    private let configuration: LambdaServerConfiguration
    private let responder: LambdaResponder
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onRunning: @Sendable (SocketAddress?) async -> Void

    /// - Parameter onRunning: called once, with the address that was bound.
    public init(
        configuration: LambdaServerConfiguration, services: LambdaServices, eventLoopGroup: any EventLoopGroup, logger: Logger,
        onRunning: @escaping @Sendable (SocketAddress?) async -> Void = { _ in }
    ) {
        self.onRunning = onRunning
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        responder = LambdaResponder(configuration: configuration, services: services, logger: logger)
    }

    /// Serves until graceful shutdown, which ends when the requests in flight are answered, or until the task is cancelled.
    /// - Throws: when the address cannot be bound or the certificate cannot be used.
    public func run() async throws {
        let responder = responder
        let onRunning = onRunning
        let server = try transport().buildServer(
            configuration: ServerConfiguration(
                address: configuration.address, serverName: nil, backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.limits.connections)),
            eventLoopGroup: eventLoopGroup, logger: logger,
            responder: { (request, writer: consuming ResponseWriter, channel) in
                try await responder.respond(to: request, writer, channel)
            },
            onServerRunning: { channel in await onRunning(channel.localAddress) })
        try await server.run()
    }

    /// Removes the bundles among `digests` that no function refers to; for those that ``FunctionChange/unreferenced`` named, once
    /// nothing runs from them. A deployment of the same package at the same time keeps it, and names it again if it fails. Blocks: not
    /// on an event loop.
    public func removeUnreferencedBundles(_ digests: Set<ContentDigest>) { responder.removeBundles(digests) }

    private func transport() throws -> HTTPServerBuilder {
        let lambda = responder
        let idleTimeout = configuration.idleTimeout
        guard let tls = configuration.tls else {
            return HTTPServerBuilder { LambdaConnection(responder: $0, lambda: lambda, idleTimeout: idleTimeout) }
        }
        let http1 = HTTP1Channel.Configuration(
            additionalChannelHandlers: [lambda.connections.makeHandler()], idleTimeout: idleTimeout)
        return try .http2Upgrade(tlsConfiguration: tls, configuration: HTTP2ChannelConfiguration(streamConfiguration: http1))
    }
}
