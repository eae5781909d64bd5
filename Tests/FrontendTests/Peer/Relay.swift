import NIOCore
import NIOPosix
import Synchronization

/// A TCP relay before a region, which a test can cut as a failing network or a killed process would.
final class Relay: Sendable {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let port: Int
    private let target: Int
    private let answerBytesMax: Int
    private let channels: Mutex<[any Channel]>

    private init(listener: any Channel, target: Int, answerBytesMax: Int) {
        port = listener.localAddress?.port ?? 0
        self.target = target
        self.answerBytesMax = answerBytesMax
        channels = Mutex([listener])
    }

    /// Closes the listener and every connection.
    func cut() {
        for channel in channels.withLock({ $0 }) { channel.close(promise: nil) }
    }

    /// - Parameter answerBytesMax: a connection that has carried so many bytes of the region's is cut.
    static func with(to target: Int, answerBytesMax: Int = .max, _ body: (Relay) async throws -> Void) async throws {
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in channel.eventLoop.makeCompletedFuture { try wrapped(channel) } }
        let relay = Relay(listener: listener.channel, target: target, answerBytesMax: answerBytesMax)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingDiscardingTaskGroup { connections in
                    try await listener.executeThenClose { accepted in
                        for try await connection in accepted {
                            // Its errors are those of a connection that a test has cut.
                            connections.addTask { try? await relay.carry(connection) }
                        }
                    }
                }
            }
            try await body(relay)
            relay.cut()
            group.cancelAll()
        }
    }

    private static func wrapped(_ channel: any Channel) throws -> Connection {
        try Connection(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: false))
    }

    private func carry(_ near: Connection) async throws {
        let far = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: target) { channel in
                channel.eventLoop.makeCompletedFuture { try Self.wrapped(channel) }
            }
        channels.withLock { $0 += [near.channel, far.channel] }
        try await near.executeThenClose { requests, answers in
            try await far.executeThenClose { farAnswers, farRequests in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for try await bytes in requests { try await farRequests.write(bytes) }
                    }
                    group.addTask {
                        var byteCount = 0
                        for try await bytes in farAnswers {
                            byteCount += bytes.readableBytes
                            guard byteCount <= self.answerBytesMax else { return self.cut() }
                            try await answers.write(bytes)
                        }
                    }
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }
}

extension Relay {
    /// Whether anything listens on a port of this machine.
    static func accepts(_ port: Int) async -> Bool {
        do {
            let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
            try await channel.close()
            return true
        } catch {
            return false
        }
    }
}
