import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import RegionForwarding
import Synchronization

/// Gives each new connection the certificate that the node has then; connections that are there keep theirs.
struct RenewedTLSChannel: ServerChildChannel {
    private final class Present: Sendable {
        let state: Mutex<(channel: HTTP2UpgradeChannel, generation: UInt64)>
        init(_ channel: HTTP2UpgradeChannel, _ generation: UInt64) { state = Mutex((channel, generation)) }
    }

    private let identity: NodeIdentity
    private let responder: HTTPChannelHandler.Responder
    private let configuration: HTTP2ChannelConfiguration
    private let present: Present

    init(
        identity: NodeIdentity, configuration: HTTP2ChannelConfiguration, responder: @escaping HTTPChannelHandler.Responder
    ) throws {
        self.identity = identity
        self.configuration = configuration
        self.responder = responder
        let generation = identity.generation
        present = Present(
            try HTTP2UpgradeChannel(
                tlsConfiguration: identity.serverConfiguration, configuration: configuration, responder: responder), generation)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP2UpgradeChannel.Value> {
        current(logger).setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP2UpgradeChannel.Value, logger: Logger) async {
        // Which one handles it does not matter: their responders are one.
        await present.state.withLock { $0.channel }.handle(value: value, logger: logger)
    }

    private func current(_ logger: Logger) -> HTTP2UpgradeChannel {
        present.state.withLock { state in
            let generation = identity.generation
            guard state.generation != generation else { return state.channel }
            state.generation = generation
            do {
                state.channel = try HTTP2UpgradeChannel(
                    tlsConfiguration: identity.serverConfiguration, configuration: configuration, responder: responder)
            } catch {
                logger.error("TLS cannot be set up with the new certificate; the old one stays in use.", metadata: ["error": "\(error)"])
            }
            return state.channel
        }
    }
}
