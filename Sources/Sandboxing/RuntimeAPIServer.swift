internal import EngineCore
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SystemPackage

/// The Lambda Runtime API of one container (lambda-api.md section 7), served on a listener that was made inside the container's
/// network namespace: `provided` functions.
///
///     started ──next──► asking ──(call)──► running ──response, error──► answered
///        │                 ▲                │    ▲                          │
///        │                 │                └next┘ (the same event again)   │
///        │                 └──────────────────next──────────────────────────┘
///        └──init/error──► failed
///
/// A response in streaming mode is handed on while it comes. One whose connection is lost midway is truncated.
///
/// A call may also come while the runtime has not asked again yet; it is handed out when it does.
final class RuntimeAPIServer: RuntimeChannel, @unchecked Sendable {
    // SAFETY: everything that changes is touched on `eventLoop` alone, which each entry point asserts or moves to.

    /// Connections of one container at once; one more is closed.
    static let connectionsMax = 16
    /// How long a connection of an ended process may take to deliver its rest.
    private static let lingering: TimeAmount = .milliseconds(100)
    /// How long the launcher's report may take after the connection of a streamed result was lost: it knows better what happened.
    private static let reportDelay: TimeAmount = .milliseconds(500)

    /// Letters of an error type's second part.
    private static let errorNameMax = 128

    /// The result of the call under way, if it is streamed.
    private enum ResponseStream {
        case none
        case open(RuntimeAPIConnection)
        /// Its connection was lost.
        case lost
    }

    private struct Call {
        let request: InvocationRequest
        let id: String
        let deadline: Int64
        var isHandedOut = false
    }

    private let eventLoop: any EventLoop
    private let onEvent: @Sendable (RuntimeEvent) -> Void
    private(set) var listener: (any Channel)?
    private(set) var connections: [ObjectIdentifier: RuntimeAPIConnection] = [:]
    /// Connections that have asked for an event, in the order they asked.
    private(set) var asking: [RuntimeAPIConnection] = []
    private var call: Call?
    /// The connection whose request's body is being kept. There is one at most, so that a container, however it behaves, makes
    /// this process hold no more than one answer.
    private var collecting: RuntimeAPIConnection?
    private var stream = ResponseStream.none
    private var hasAsked = false
    private var hasFailed = false
    private var isEnding = false
    private var isOver = false

    init(on eventLoop: any EventLoop, onEvent: @escaping @Sendable (RuntimeEvent) -> Void) {
        self.eventLoop = eventLoop
        self.onEvent = onEvent
    }

    /// Takes over `listener`, a listening socket, also when the future fails.
    static func open(
        _ listener: SystemPackage.FileDescriptor, on eventLoop: any EventLoop, onEvent: @escaping @Sendable (RuntimeEvent) -> Void
    ) -> EventLoopFuture<RuntimeAPIServer> {
        let server = RuntimeAPIServer(on: eventLoop, onEvent: onEvent)
        return ServerBootstrap(group: eventLoop)
            // Inherited from the listener only by connections that come after this; a program that runs already may be quicker.
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { _ = try server.admit(channel) } }
            .withBoundSocket(listener.rawValue)
            .map { channel in
                server.listener = channel
                return server
            }
    }

    /// Sets up a connection; on the event loop.
    @discardableResult
    func admit(_ channel: any Channel) throws -> RuntimeAPIConnection {
        eventLoop.assertInEventLoop()
        guard connections.count < Self.connectionsMax, !isOver else { throw ChannelError.inappropriateOperationForState }
        let connection = RuntimeAPIConnection(self, channel)
        connections[ObjectIdentifier(connection)] = connection
        // Answers are written as bytes, so there is a decoder and no encoder.
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        try channel.pipeline.syncOperations.addHandler(connection)
        return connection
    }

    /// Whether no call is under way, and none of its requests.
    var isIdle: Bool { hasAsked && !hasFailed && !isEnding && !isOver && call == nil && collecting == nil }

    var isWaiting: Bool { isIdle && !asking.isEmpty }

    /// The runtime has asked for its next event in an earlier process.
    ///
    /// - Parameter connection: on which it waits; `nil` when it had none and is about to connect.
    func resume(_ connection: RuntimeAPIConnection?) {
        hasAsked = true
        if let connection { asking.append(connection) }
    }

    // MARK: The container's side

    func initialise(_ settings: InitialisationSettings) {
        // The program has its environment from the start and initialises by itself, until its first `next`.
    }

    func invoke(_ request: InvocationRequest, deadline: Int64) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.invoke(request, deadline: deadline) }
            return
        }
        call = Call(request: request, id: request.id.description, deadline: deadline)
        guard !asking.isEmpty else { return }
        handOut(to: asking.removeFirst())
    }

    func pause() { setReading(false) }
    func resume() { setReading(true) }

    private func setReading(_ isWanted: Bool) {
        eventLoop.assertInEventLoop()
        if case .open(let connection) = stream { connection.setReading(isWanted) }
    }

    func processEnded() {
        eventLoop.assertInEventLoop()
        isEnding = true
        guard !connections.isEmpty else {
            ended()
            return
        }
        eventLoop.scheduleTask(in: Self.lingering) { self.ended() }
    }

    func close() {
        eventLoop.assertInEventLoop()
        isOver = true
        asking = []
        collecting = nil
        stream = .none
        listener?.close(promise: nil)
        listener = nil
        for connection in connections.values { connection.close() }
    }

    private func ended() {
        guard !isOver else { return }
        close()
        onEvent(.closed)
    }

    // MARK: The runtime's side

    /// Decides, at its head, what becomes of a request's body.
    func bodyUse(_ request: RuntimeAPIRequest?, _ headers: HTTPHeaders, from connection: RuntimeAPIConnection) -> RuntimeAPIBodyUse {
        guard collecting == nil else { return .none }
        switch request {
        case .response(let id), .error(let id):
            guard isCurrent(id) else { return .none }
            collecting = connection
            guard case .response = request, headers.first(name: RuntimeAPIHeader.responseMode)?.lowercased() == "streaming" else {
                return .keep(bytesMax: RuntimeLimits.responseMax)
            }
            stream = .open(connection)
            onEvent(.streaming(contentType: ContentType.checked(headers.first(name: "content-type"))))
            return .stream
        case .initialisationError:
            guard !hasAsked, !hasFailed else { return .none }
            collecting = connection
            return .keep(bytesMax: RuntimeLimits.initialisationErrorMax)
        case .next, .restoreNext, .restoreError, .ping, nil:
            return .none
        }
    }

    /// The next bytes of a body that is streamed.
    func takePart(_ bytes: ByteBuffer, from connection: RuntimeAPIConnection) {
        // The call may have ended meanwhile.
        if case .open(let open) = stream, open === connection, call != nil { onEvent(.part(bytes)) }
    }

    /// - Parameter body: empty for requests without one, and when it was streamed; `nil` when there was no use for it.
    func take(
        _ request: RuntimeAPIRequest?, headers: HTTPHeaders, body: ByteBuffer?, trailers: HTTPHeaders?,
        from connection: RuntimeAPIConnection
    ) {
        if collecting === connection { collecting = nil }
        switch request {
        case .next:
            takeNext(from: connection)
        case .response(let id):
            guard let body else { return connection.send(withoutUse) }
            connection.send(takeResponse(id, headers, body, trailers))
        case .error(let id):
            guard let body else { return connection.send(withoutUse) }
            connection.send(answer(id, .answered(.functionError(body), errorType: Self.errorType(headers, body))))
        case .initialisationError:
            guard let body, !hasAsked, !hasFailed else { return connection.send(.invalidStateTransition) }
            hasFailed = true
            connection.send(.accepted)
            onEvent(.initialisationFailed(body, errorType: Self.errorType(headers, body)))
        case .restoreNext: connection.send(.nothing)
        case .restoreError: connection.send(.accepted)
        case .ping: connection.send(.pong)
        case nil: connection.send(.unknownPath)
        }
    }

    /// What answers the call under way with another identifier, a second time, or on two connections at once.
    private var withoutUse: RuntimeAPIAnswer { hasAsked ? .invalidRequestID : .invalidStateTransition }

    /// The body of `request`, which was being kept, is over its limit; the rest is dropped.
    func takeTooLarge(_ request: RuntimeAPIRequest?, from connection: RuntimeAPIConnection) {
        if collecting === connection { collecting = nil }
        switch request {
        case .response(let id), .error(let id):
            // Clients take the 413 that follows for a reason to end.
            _ = answer(id, .failed(.answerTooLarge(isLast: true)))
        default: break
        }
    }

    func remove(_ connection: RuntimeAPIConnection) {
        connections[ObjectIdentifier(connection)] = nil
        asking.removeAll { $0 === connection }
        if collecting === connection { collecting = nil }
        if case .open(let open) = stream, open === connection, call != nil {
            stream = .lost
            eventLoop.scheduleTask(in: Self.reportDelay) { self.truncate() }
        }
        if isEnding, connections.isEmpty { ended() }
    }

    /// The result that was being streamed has no end.
    private func truncate() {
        guard case .lost = stream, let call, !isOver else { return }
        _ = answer(call.id, .failed(.truncated))
    }

    private func takeNext(from connection: RuntimeAPIConnection) {
        guard !hasFailed else { return connection.send(.invalidStateTransition) }
        asking.append(connection)
        if !hasAsked {
            hasAsked = true
            onEvent(.ready)
        }
        // It has given up the call whose result it was streaming, and is not to be given it again.
        if case .lost = stream { return truncate() }
        // The event may have come with a call, which is then handed out already.
        if call != nil, asking.last === connection { handOut(to: asking.removeLast()) }
    }

    private func handOut(to connection: RuntimeAPIConnection) {
        guard let call else { return }
        self.call?.isHandedOut = true
        let request = call.request
        connection.send(
            RuntimeAPIAnswer(
                event: request.payload,
                headers: [
                    (RuntimeAPIHeader.requestID, call.id),
                    (RuntimeAPIHeader.deadline, "\(call.deadline)"), (RuntimeAPIHeader.invokedARN, request.invokedARN),
                    (RuntimeAPIHeader.traceID, request.traceID), (RuntimeAPIHeader.clientContext, request.clientContext ?? ""),
                ]))
    }

    private func takeResponse(_ id: String, _ headers: HTTPHeaders, _ body: ByteBuffer, _ trailers: HTTPHeaders?) -> RuntimeAPIAnswer {
        if let mode = headers.first(name: RuntimeAPIHeader.responseMode)?.lowercased(), mode != "buffered", mode != "streaming" {
            let answer = answer(id, .failed(.responseMode))
            return answer == .accepted ? .invalidResponseMode : answer
        }
        // A stream that failed midway says so behind its last byte.
        if let type = trailers?.first(name: RuntimeAPIHeader.errorType) {
            let text = trailers?.first(name: RuntimeAPIHeader.errorBody) ?? ""
            let failure = ErrorObject.body(base64: text) ?? ByteBuffer(string: #"{"errorType":"Function.Unknown"}"#)
            return answer(id, .answered(.functionError(failure), errorType: Self.recorded(type)))
        }
        return answer(id, .answered(.success(body), errorType: nil))
    }

    private func isCurrent(_ id: String) -> Bool {
        guard let call else { return false }
        return call.isHandedOut && call.id == id
    }

    /// Ends the call under way with `event`, if `id` is its identifier.
    private func answer(_ id: String, _ event: RuntimeEvent) -> RuntimeAPIAnswer {
        guard hasAsked else { return .invalidStateTransition }
        guard isCurrent(id) else { return .invalidRequestID }
        call = nil
        // The next event is asked for on the same connection.
        resume()
        stream = .none
        // A connection that has the event still to read holds it in memory for nobody's use.
        for connection in connections.values where !connection.isWritable { connection.close() }
        onEvent(event)
        return .accepted
    }

    /// The type by the header, or else, for runtimes that send none, by the error object.
    private static func errorType(_ headers: HTTPHeaders, _ body: ByteBuffer) -> String? {
        guard let type = headers.first(name: RuntimeAPIHeader.errorType), !type.isEmpty else { return ErrorObject.type(in: body) }
        return recorded(type)
    }

    /// The type of a header as Lambda records it: `(Runtime|Function)\.[A-Z][a-zA-Z]+`, or that it is unknown.
    private static func recorded(_ type: String) -> String {
        let isFunction = type.hasPrefix("Function.")
        let name = type.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst()
        let letters = [UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z")]
        let isKnown =
            (isFunction || type.hasPrefix("Runtime.")) && (2...errorNameMax).contains(name.count)
            && name.first.map { letters[0].contains($0) } == true
            && name.allSatisfy { letters[0].contains($0) || letters[1].contains($0) }
        return isKnown ? type : isFunction ? "Function.Unknown" : "Runtime.Unknown"
    }
}
