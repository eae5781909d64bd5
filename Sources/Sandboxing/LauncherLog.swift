internal import Logging
internal import NIOCore
internal import NIOPosix
internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

/// What the launcher writes to its standard error, line by line, into the engine's log.
final class LauncherLog: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Longer lines are cut.
    private static let lineBytesMax = 4096

    private let logger: Logger
    private var line: [UInt8] = []

    private init(_ logger: Logger) { self.logger = logger }

    /// Takes over `descriptor`.
    static func read(_ descriptor: Int32, on eventLoop: any EventLoop, logger: Logger) {
        NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(LauncherLog(logger)) }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
            .whenFailure { error in
                logger.warning("the launcher's messages cannot be read: \(error)")
                close(descriptor)
            }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for byte in unwrapInboundIn(data).readableBytesView {
            if byte == UInt8(ascii: "\n") { flush() } else if line.count < Self.lineBytesMax { line.append(byte) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) { flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func flush() {
        if !line.isEmpty { logger.warning("\(String(decoding: line, as: UTF8.self))") }
        line.removeAll(keepingCapacity: true)
    }
}
