public import NIOCore

/// Between HTTP/2 and TLS of a peer's connection: packs what is written from one flush to the next into full records, and flushes before
/// the connection is closed.
///
/// *Why packed.* HTTP/2 writes the nine bytes that head a frame by themselves, and TLS makes a record of each write. A reader then nearly
/// always has whole records up to a frame's head, and there its HTTP/2 parser (swift-nio-http2 1.46) does not reuse its buffer but appends
/// to it: it would hold all that a long answer has had. Of full records the end is somewhere in a frame, where the parser begins anew.
///
/// *Why flushed.* The server's connection manager closes a connection that is shutting down as soon as its last stream has ended, when the
/// last frames of that stream's answer have been written but not flushed; they would be lost.
public final class RecordWriter: ChannelOutboundHandler {
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    /// Of one TLS record's content (RFC 8446, section 5.1).
    private static let recordBytesMax = 16 << 10

    private var pending = ByteBuffer()
    private var promise: EventLoopPromise<Void>?

    public init() {}

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        pending.writeImmutableBuffer(unwrapOutboundIn(data))
        if let promise {
            if let all = self.promise { all.futureResult.cascade(to: promise) } else { self.promise = promise }
        }
        guard pending.readableBytes > Self.recordBytesMax else { return }
        // Not all: the last record carries the promise of all writes.
        while pending.readableBytes > Self.recordBytesMax, let record = pending.readSlice(length: Self.recordBytesMax) {
            context.write(wrapOutboundOut(record), promise: nil)
        }
        // The records still hold the memory; writing on into it would copy it all.
        var rest = context.channel.allocator.buffer(capacity: Self.recordBytesMax)
        rest.writeImmutableBuffer(pending)
        pending = rest
    }

    public func flush(context: ChannelHandlerContext) {
        writeRest(context)
        context.flush()
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flush(context: context)
        context.close(mode: mode, promise: promise)
    }

    private func writeRest(_ context: ChannelHandlerContext) {
        guard pending.readableBytes > 0 || promise != nil else { return }
        let (rest, promise) = (pending, promise)
        (pending, self.promise) = (ByteBuffer(), nil)
        context.write(wrapOutboundOut(rest), promise: promise)
    }
}
