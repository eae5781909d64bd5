internal import NIOCore

/// Passes on a request's head, which is limited in bytes, and holds what comes behind it until there is a target.
///
///     passing ──end of the head──► holding ──release──► open
///        │                            │
///        └──too large, given up───────┴──discard──► discarding
///
/// So the decoder never has bytes that belong to a tunnel, and an end of the stream is not seen before them. What is held is bounded:
/// nothing is read meanwhile, except once what the kernel holds when the function has closed its end.
final class EgressHeadGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum State {
        case passing
        case holding
        case open
        case discarding
    }

    private let connection: EgressConnection
    private var state = State.passing
    /// Bytes that the head may still have.
    private var remaining: Int
    /// Whether there was anything but empty lines, which a request may have before it (RFC 9112, section 2.2).
    private var hasBegun = false
    /// How much of the empty line that ends a head has been seen.
    private var matched = 0
    private var held = ByteBuffer()
    private var isEndHeld = false
    private var context: ChannelHandlerContext?

    private static let mark: [UInt8] = Array("\r\n\r\n".utf8)

    init(_ connection: EgressConnection, bytesMax: Int) {
        self.connection = connection
        remaining = bytesMax
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch state {
        case .passing: pass(&bytes, context)
        case .holding: held.writeBuffer(&bytes)
        case .open: context.fireChannelRead(data)
        case .discarding: break
        }
    }

    private func pass(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        if !hasBegun {
            let count = bytes.readableBytesView.prefix { $0 == 0x0D || $0 == 0x0A }.count
            bytes.moveReaderIndex(forwardBy: count)
            remaining -= count
            hasBegun = bytes.readableBytes > 0
        }
        let end = endOfHead(bytes.readableBytesView)
        let length = end ?? bytes.readableBytes
        // A head of exactly the limit is one that is not too large, if it has ended.
        guard length <= remaining, remaining > 0, end != nil || length < remaining else { return connection.refuse(.headerTooLarge) }
        remaining -= length
        if end != nil { state = .holding }
        guard length > 0, let part = bytes.readSlice(length: length) else { return }
        if bytes.readableBytes > 0, state == .holding { held.writeBuffer(&bytes) }
        context.fireChannelRead(wrapInboundOut(part))
        if state == .holding, connection.isReadingHead { connection.refuse(.malformed, "it is not HTTP/1.1") }
    }

    /// How many of the bytes belong to the head, when it ends in them. O(bytes).
    private func endOfHead(_ bytes: ByteBufferView) -> Int? {
        for (offset, byte) in bytes.enumerated() {
            if byte == Self.mark[matched] {
                matched += 1
            } else {
                matched = byte == Self.mark[0] ? 1 : 0
            }
            if matched == Self.mark.count { return offset + 1 }
        }
        return nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent, state == .holding {
            isEndHeld = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Lets go what was held, and everything after it.
    func release() {
        guard state == .holding, let context else { return }
        state = .open
        if held.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(held))
            context.fireChannelReadComplete()
        }
        held = ByteBuffer()
        if isEndHeld { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    }

    /// Drops what was held, and everything after it, but for its end.
    func discard() {
        let hadEnd = state == .holding && isEndHeld
        state = .discarding
        held = ByteBuffer()
        if hadEnd { connection.inputClosed(of: .client) }
    }
}
