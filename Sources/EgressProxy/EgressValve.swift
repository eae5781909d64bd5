internal import NIOCore

/// Lets a channel be read only while there is somewhere to put what it brings. It begins closed.
final class EgressValve: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private(set) var isOpen = false
    private var wantsRead = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if isOpen { context.read() } else { wantsRead = true }
    }

    func set(open: Bool) {
        isOpen = open
        guard open, wantsRead, let context else { return }
        wantsRead = false
        context.read()
    }
}
