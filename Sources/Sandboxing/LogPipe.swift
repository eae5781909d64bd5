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
/// A function writes its output before its runtime answers, so when the answer is here its output is in the pipe, read or not.
/// `finish` asks the kernel how much that is: the call's output ends exactly there, whatever is written behind it meanwhile. Usually
/// that is nothing and the call is over at once. (Reading the rest past the event loop would be simpler, but the event loop may
/// have seen the pipe readable already, and insists on finding something there.)
final class LogPipe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Ending {
        /// The position in the whole stream up to which the call's output reaches.
        let position: Int
        let completion: (InvocationLog) -> Void
    }

    let descriptor: SystemPackage.FileDescriptor
    private var channel: (any Channel)?
    private var capture: LogCapture
    /// Bytes read since the start.
    private var position = 0
    /// Calls whose output is not read to its end, in order: in practice one.
    private var endings: [Ending] = []
    private var isClosing = false
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
            .map { _ in }
    }

    /// Gives the output of the call that ends now to `completion`, when it has been read: mostly at once.
    func finish(_ completion: @escaping (InvocationLog) -> Void) {
        let end = position + unreadByteCount()
        guard end > position || !endings.isEmpty else { return completion(capture.take()) }
        endings.append(Ending(position: end, completion: completion))
    }

    /// Whether the descriptor is open still, and no call waits for what is in it.
    var isQuiet: Bool { channel != nil && endings.isEmpty }

    /// Stops reading, once all calls have their output.
    func close() {
        isClosing = true
        closeIfDone()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channel = context.channel
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while let ending = endings.first, !rest.isEmpty {
                let part = rest.prefix(ending.position - position)
                capture.append(UnsafeRawBufferPointer(rebasing: part))
                position += part.count
                rest = rest.dropFirst(part.count)
                completeEndings()
            }
            position += rest.count
            if isCapturing() { capture.append(UnsafeRawBufferPointer(rebasing: rest)) } else { capture.drop(rest.count) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // There is no more: what a call was to have is what it has.
        channel = nil
        position = .max
        completeEndings()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A pipe that cannot be read has no more output to give; the call is not harmed.
        context.close(promise: nil)
    }

    private func completeEndings() {
        while let ending = endings.first, ending.position <= position {
            endings.removeFirst()
            ending.completion(capture.take())
        }
        closeIfDone()
    }

    private func closeIfDone() {
        guard isClosing, endings.isEmpty else { return }
        channel?.close(promise: nil)
        // The number is another's from here on.
        channel = nil
    }

    /// `FIONREAD` (ioctl_tty(2)); 0 when the pipe is closed or the kernel does not say.
    private func unreadByteCount() -> Int {
        // The number is the pipe's as long as the channel is there: both live on this event loop.
        guard channel != nil else { return 0 }
        var count: Int32 = 0
        return ioctl(descriptor.rawValue, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }
}
