import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// The connections to one other node that were made with one certificate of this one: HTTP/2 with mutual TLS, made when a call needs
/// them, and kept.
///
/// Each event loop has connections of its own, and an exchange goes by the loop it is asked for on, so that a small call changes no
/// thread. Only when a loop's connections are full does it go by another's. What finds no room anywhere is told so at once: nothing
/// waits in a queue that nobody sees.
final class PeerTransport: Sendable {
    typealias Failure = RegionClient.Failure

    struct Configuration: Sendable {
        var host: String
        var port: Int
        /// What TLS verifies the other side's certificate by.
        var name: String
        /// Of all event loops together.
        var connectionsMax: Int
        var streamsPerConnection: Int
        var connectTimeout: TimeAmount
        var idleTimeout: TimeAmount
        /// How long the other node may say nothing while exchanges are under way.
        var silenceMax: TimeAmount
    }

    /// Bytes of one answer on the way that its asker has not taken.
    static let streamWindowBytes = 1 << 20
    /// Bytes on the way on one connection. They are granted anew as they come.
    static let connectionWindowBytes = 16 << 20

    private let lanes: [PeerLane.Reference]

    /// - Parameter verify: called on the event loop of each connection whose handshake is done; what it throws closes the connection.
    init(
        _ configuration: Configuration, tls: TLSConfiguration, group: any EventLoopGroup,
        verify: @escaping @Sendable (any Channel) throws -> Void
    ) {
        var tls = tls
        tls.applicationProtocols = ["h2"]
        // A certificate that cannot be used is found when a connection is to be made with it.
        let context = Result { try NIOSSLContext(configuration: tls) }
        let loops = Array(group.makeIterator())
        lanes = loops.enumerated().map { number, loop in
            let share = configuration.connectionsMax / loops.count + (number < configuration.connectionsMax % loops.count ? 1 : 0)
            return PeerLane.Reference(
                PeerLane(configuration, connectionsMax: share, context, eventLoop: loop, verify: verify), eventLoop: loop)
        }
        // A way that carries nothing is not tried by the connections that nobody uses just now: they would take a call and lose it.
        for lane in lanes { lane.perform { $0.onSilence = { [weak self] in self?.retireConnections() } } }
    }

    /// Begins an exchange on a connection with room; the exchange fails with `full` if there is none.
    ///
    /// - Parameter deadline: when the exchange fails with `late`; `nil`: never.
    func begin(_ exchange: PeerExchange, deadline: NIODeadline?) {
        let current = MultiThreadedEventLoopGroup.currentEventLoop
        let own = current.flatMap { loop in lanes.firstIndex { $0.eventLoop === loop } } ?? Int.random(in: 0..<lanes.count)
        begin(exchange, deadline, from: own, tried: 0)
    }

    private func begin(_ exchange: PeerExchange, _ deadline: NIODeadline?, from own: Int, tried: Int) {
        guard tried < lanes.count else {
            exchange.finish(.full)
            return
        }
        let reference = lanes[(own + tried) % lanes.count]
        reference.perform { [self] lane in
            if !lane.begin(exchange, deadline: deadline, in: reference) { begin(exchange, deadline, from: own, tried: tried + 1) }
        }
    }

    private func retireConnections() {
        for lane in lanes { lane.perform { $0.retireConnections() } }
    }

    /// Closes all connections; exchanges under way fail, and so do those begun later.
    func close() async {
        for lane in lanes { await lane.close() }
    }
}
