import EngineCore
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers invocations on the connection's own event loop, without a task between the socket and the container, or the way to a region.
///
///     idle ──head of a small invocation──► collecting ──end──► running ──answered──► idle
///      │                                       └─ no room, not in order ─┐
///      └──any other head──► passing ◄───── what was collected ──────────┘
///                              └──last answer written──► idle
///
/// It does what ``LambdaResponder`` does with the same functions, and only the case that is nearly all of them: a signed, sound
/// invocation of small size. Whatever else it meets it hands on as it came, and the responder answers it. Parts that arrive while a call
/// runs wait; nothing more is read meanwhile.
final class InvocationHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Larger events take the other way, which takes them in pieces.
    static let bodyBytesMax = 256 << 10

    private struct Collected {
        let head: HTTPRequest
        let candidate: LambdaResponder.Candidate
        var body = ByteBuffer()
        var trailers: HTTPFields?
    }

    private enum State {
        case idle
        case collecting(Collected)
        case running(LambdaResponder.PreparedInvocation)
    }

    private let responder: LambdaResponder
    private var state = State.idle
    /// Ends the call that runs.
    private var cancel: (@Sendable () -> Void)?
    /// Requests handed on whose answers are not complete.
    private var passing = 0
    private var waiting: [HTTPRequestPart] = []
    private var isReadWanted = false
    private var isGone = false
    /// The body that is collected, or that of the call that runs.
    private var held: HeldBody

    init(_ responder: LambdaResponder) {
        self.responder = responder
        held = HeldBody(responder.services.bodies)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isGone else { return }
        let part = unwrapInboundIn(data)
        if case .running = state { waiting.append(part) } else { take(part, context) }
    }

    func read(context: ChannelHandlerContext) {
        // What waits is bounded by what was read before this was noticed.
        if waiting.isEmpty { context.read() } else { isReadWanted = true }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passing -= 1 }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientHasGone()
        context.fireChannelInactive()
    }

    /// The framework's guard before this handler does not tell it of a connection that was reset or has closed; its end it cannot keep.
    func handlerRemoved(context: ChannelHandlerContext) { clientHasGone() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { clientHasGone() }
        context.fireUserInboundEventTriggered(event)
    }

    /// Ends the call that runs; what waits behind it is for nobody.
    private func clientHasGone() {
        isGone = true
        waiting = []
        if case .collecting = state { held.release() }
        cancel?()
    }

    // MARK: Requests

    private func take(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.idle, .head(let head)):
            if passing == 0, Self.isEligible(head), let candidate = responder.candidate(head) {
                state = .collecting(Collected(head: head, candidate: candidate))
            } else {
                pass(part, context)
            }
        case (.collecting(var collected), .body(let body)):
            // One part, as small events are, stays the buffer it was received in.
            if collected.body.readableBytes == 0 { collected.body = body } else { collected.body.writeImmutableBuffer(body) }
            if hasRoom(for: collected) { state = .collecting(collected) } else { handOn(collected, isWhole: false, context) }
        case (.collecting(var collected), .end(let trailers)):
            collected.trailers = trailers
            begin(collected, context)
        case (_, .head):
            pass(part, context)
        default:
            context.fireChannelRead(wrapInboundOut(part))
        }
    }

    /// Hands on the head of a request that is the responder's from the beginning; what belongs to it follows.
    private func pass(_ head: HTTPRequestPart, _ context: ChannelHandlerContext) {
        passing += 1
        context.fireChannelRead(wrapInboundOut(head))
    }

    /// Where there is none, the responder says so.
    private func hasRoom(for collected: Collected) -> Bool {
        let account = collected.candidate.claim.access.account
        do throws(InvocationError) { try held.grow(to: collected.body.readableBytes, of: account) } catch { return false }
        return true
    }

    /// An invocation with a body of known, small size on a connection that stays, without headers that ask for a container or a time.
    private static func isEligible(_ head: HTTPRequest) -> Bool {
        guard head.method == .post, let path = head.path, path.utf8.starts(with: "/2015-03-31/functions/".utf8) else { return false }
        var length: Int?
        for field in head.headerFields {
            switch field.name.canonicalName {
            case "content-length": length = Int(field.value)
            case "connection", "expect", "transfer-encoding", "upgrade": return false
            default: if AffinityHeaders.mayBe(field.name) { return false }
            }
        }
        return length.map { $0 <= bodyBytesMax } ?? false
    }

    private func begin(_ collected: Collected, _ context: ChannelHandlerContext) {
        guard let begin = responder.services.begin,
            let prepared = responder.prepare(collected.candidate, collected.head, collected.body, context.channel)
        else { return handOn(collected, isWhole: true, context) }
        // Before it begins: it may be over before `begin` returns.
        state = .running(prepared)
        let eventLoop = context.eventLoop
        let me = NIOLoopBound((self, context), eventLoop: eventLoop)
        let cancel = begin(prepared.request) { result in
            if eventLoop.inEventLoop {
                me.value.0.finish(result, me.value.1)
            } else {
                eventLoop.execute { me.value.0.finish(result, me.value.1) }
            }
        }
        guard case .running(let running) = state, running.request.id == prepared.request.id else { return }
        self.cancel = cancel
        if isGone { cancel() }
    }

    /// Gives the responder what was collected; where it is not whole, the rest follows.
    private func handOn(_ collected: Collected, isWhole: Bool, _ context: ChannelHandlerContext) {
        state = .idle
        // Whoever takes it counts it anew.
        held.release()
        passing += 1
        context.fireChannelRead(wrapInboundOut(.head(collected.head)))
        if collected.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(collected.body))) }
        if isWhole { context.fireChannelRead(wrapInboundOut(.end(collected.trailers))) }
    }

    // MARK: Answers

    private func finish(_ result: Result<InvocationResult, InvocationError>, _ context: ChannelHandlerContext) {
        guard case .running(let prepared) = state else { return }
        cancel = nil
        state = .idle
        held.release()
        if context.channel.isActive {
            let (head, body) = responder.respond(result, to: prepared)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(body)), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        takeWaiting(context)
    }

    private func takeWaiting(_ context: ChannelHandlerContext) {
        guard !waiting.isEmpty else { return }
        let parts = waiting
        waiting = []
        for part in parts {
            if case .running = state { waiting.append(part) } else { take(part, context) }
        }
        context.fireChannelReadComplete()
        if waiting.isEmpty, isReadWanted {
            isReadWanted = false
            context.read()
        }
    }
}
