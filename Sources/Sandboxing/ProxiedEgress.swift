public import EgressProxy
public import EngineCore
public import NIOCore

/// Serves each container's way out with a proxy of its own, which keeps to its function's allow-list.
public struct ProxiedEgress: EgressServing {
    private let limits: EgressLimits
    private let shares: EgressShares
    private let onConnection: @Sendable (EgressRecord) -> Void

    /// - Parameters:
    ///   - limits: those of one container, and of the node.
    ///   - shares: what all containers of the node share, however many of these values there are.
    ///   - onConnection: told of each connection at its end, on an event loop; must not block.
    public init(
        limits: EgressLimits = EgressLimits(), shares: EgressShares = .shared, onConnection: @escaping @Sendable (EgressRecord) -> Void
    ) {
        self.limits = limits
        self.shares = shares
        self.onConnection = onConnection
    }

    public func serve(
        listener: CInt, for version: PinnedVersion, container: UInt64, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any EgressSession> {
        EgressProxyServer.open(
            listener, for: version.arn, policy: version.sandbox.egress, limits: limits, shares: shares, on: eventLoop,
            onConnection: onConnection
        ).map { Session(server: $0) }
    }

    private final class Session: EgressSession {
        private let server: EgressProxyServer

        init(server: EgressProxyServer) { self.server = server }

        func end() { server.close() }
    }
}
