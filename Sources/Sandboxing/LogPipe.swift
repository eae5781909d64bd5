internal import EngineCore
internal import NIOCore
internal import NIOPosix
internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

/// The read end of a container's log pipe: always being read, so that a function can neither block on its own output nor make
/// the engine keep it. Between two calls what arrives is dropped and counted.
///
/// A function writes its output before its runtime answers, so when the answer is here its output is in the pipe: `take` reads
/// that at once instead of waiting for the event loop to come round to it.
final class LogPipe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Bytes read by one `take` at most: the largest pipe an unprivileged process can make. A function that writes faster than
    /// it is read does not hold the event loop.
    private static let drainMax = 1 << 20

    private let descriptor: SystemPackage.FileDescriptor
    private var channel: (any Channel)?
    private var capture: LogCapture
    private let isCapturing: () -> Bool

    /// - Parameter isCapturing: whether a call is under way, asked when output arrives.
    init(_ descriptor: SystemPackage.FileDescriptor, limit: ByteCount, isCapturing: @escaping () -> Bool) {
        self.descriptor = descriptor
        capture = LogCapture(limit: limit)
        self.isCapturing = isCapturing
    }

    /// Starts reading; on `eventLoop`, which all other calls are made on too. The descriptor belongs to the pipe from now on,
    /// unless the future fails.
    func start(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
            .takingOwnershipOfDescriptor(input: descriptor.rawValue)
            .map { bound.value.channel = $0 }
    }

    /// The output of the call that ends now.
    ///
    /// - Parameter lines: what the engine adds; it always fits.
    func take(adding line: String? = nil) -> InvocationLog {
        drain()
        var log = capture.take()
        guard let line else { return log }
        if log.text.readableBytes > 0, log.text.readableBytesView.last != UInt8(ascii: "\n") { log.text.writeInteger(UInt8(ascii: "\n")) }
        log.text.writeString("\(line)\n")
        return log
    }

    func close() {
        channel?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            if isCapturing() { capture.append(bytes) } else { capture.drop(bytes.count) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        channel = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A pipe that cannot be read has no more output to give; the call is not harmed.
        context.close(promise: nil)
    }

    private func drain() {
        // Most calls write nothing: a small buffer on the stack finds that out without an allocation.
        let first = withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { read(into: $0) }
        guard first == 1024 else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { buffer.deallocate() }
        var total = first
        while total < Self.drainMax {
            let count = read(into: buffer)
            guard count > 0 else { return }
            total += count
        }
    }

    /// - Returns: the number of bytes; 0 when there is nothing now or will be nothing any more.
    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        // The number is the pipe's as long as the channel is there: both live on this event loop.
        guard channel != nil else { return 0 }
        var count: Int
        repeat { count = Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
        guard count > 0 else { return 0 }
        capture.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
    }
}
