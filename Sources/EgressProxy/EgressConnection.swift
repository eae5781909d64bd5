internal import EngineCore
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// One connection of a function to its proxy, and the one to the target that belongs to it.
///
///     readingHead ──head──► dialing ──connected──► relaying ──both ends closed, a limit, a reset──► ended
///          │                   │                      │                                              ▲
///          │ malformed, late   │ denied, unreachable  │ (plain HTTP) answer complete                 │
///          └───────────────────┴──────────────────────┴────────► leaving ──read, or lingered─────────┘
///
/// Memory is bounded: an end is read only while what the other has not taken yet is below NIO's high water mark (``EgressValve``).
/// The exception is an end that its peer has closed: NIO then reads what the kernel holds, at most its receive buffer.
final class EgressConnection: @unchecked Sendable {
    // SAFETY: touched on the server's event loop alone, on which both channels are.

    enum End: Hashable {
        /// The function.
        case client
        case target

        var other: End { self == .client ? .target : .client }
    }

    enum State {
        case readingHead
        case dialing
        case relaying
        case leaving
        case ended
    }

    let server: EgressProxyServer
    let client: any Channel
    let place: EgressShares.Place
    var target: (any Channel)?
    var state = State.readingHead
    var record: EgressRecord
    var request: EgressRequest?
    var requestHead: HTTPRequestHead?
    /// What comes behind the request's head waits there for the target.
    private(set) var gate: EgressHeadGate?
    var exchange = EgressExchange()

    private let accepted = NIODeadline.now()
    private var lastByte = NIODeadline.now()
    private var timer: Scheduled<Void>?
    private var valves: [End: EgressValve] = [:]
    /// Ends that will bring no more.
    private var inputsClosed: Set<End> = []
    /// The last answer has been handed to the kernel.
    private var isAnswerWritten = false
    /// Ends that have been given everything, or are gone.
    private var drained: Set<End> = []

    var limits: EgressLimits { server.limits }
    var isReadingHead: Bool { state == .readingHead }
    /// Succeeds when the function's side is closed.
    var closed: EventLoopFuture<Void> { client.closeFuture }

    /// - Parameter place: what it counts as among all connections of the node, until it is removed from the server.
    init(_ server: EgressProxyServer, _ client: any Channel, _ place: EgressShares.Place) {
        self.server = server
        self.client = client
        self.place = place
        record = EgressRecord(function: server.function)
    }

    /// Sets up the function's side; on the event loop.
    func begin() throws {
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderListSize = limits.headerBytesMax.bytes
        decoderLimits.maxHeaderFieldSize = limits.headerBytesMax.bytes
        var encoding = HTTPResponseEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        let valve = EgressValve()
        valves[.client] = valve
        let gate = EgressHeadGate(self, bytesMax: limits.headerBytesMax.bytes)
        self.gate = gate
        let pipeline = client.pipeline.syncOperations
        try pipeline.addHandlers([
            valve,
            gate,
            ByteToMessageHandler(
                HTTPRequestDecoder(
                    leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop, limitConfiguration: decoderLimits)),
            HTTPResponseEncoder(configuration: encoding),
            EgressEndHandler<HTTPServerRequestPart>(.client, of: self) { self.received($0) },
        ])
        valve.set(open: true)
        setTimer(limits.headerTime) { self.refuse(.headerTimeout) }
    }

    private func received(_ part: HTTPServerRequestPart) {
        switch (state, part) {
        case (.readingHead, .head(let head)): dial(head)
        case (.dialing, .end): exchange.isRequestComplete = request?.kind != .tunnel
        case (.dialing, _): refuse(.malformed, "its head does not end in an empty line")
        case (.relaying, _): relay(part)
        case (.readingHead, _), (.leaving, _), (.ended, _): break
        }
    }

    // MARK: Flow

    func addValve(to pipeline: ChannelPipeline.SynchronousOperations, for end: End) throws {
        let valve = EgressValve()
        valves[end] = valve
        try pipeline.addHandler(valve)
    }

    func setValve(_ end: End, open: Bool) { valves[end]?.set(open: open) }

    func channel(_ end: End) -> (any Channel)? { end == .client ? client : target }

    func flush(to end: End) {
        guard state == .relaying else { return }
        channel(end)?.flush()
    }

    func writabilityChanged(of end: End) {
        guard state == .relaying, let isWritable = channel(end)?.isWritable else { return }
        setValve(end.other, open: isWritable && mayRead(end.other))
    }

    /// Of a plain request nothing is read behind its end: it is the only one of its connection.
    private func mayRead(_ end: End) -> Bool { end == .target || !exchange.isRequestComplete }

    // MARK: Counting

    /// - Returns: whether the bytes may go on.
    func count(sent: Int = 0, received: Int = 0) -> Bool {
        guard state == .relaying else { return state == .leaving }
        lastByte = .now()
        record.sent += ByteCount(sent)
        record.received += ByteCount(received)
        guard server.count(sent: sent, received: received) else {
            finish(.containerBytes)
            return false
        }
        guard max(record.sent, record.received) <= limits.connectionBytesMax else {
            finish(.connectionBytes)
            return false
        }
        return true
    }

    // MARK: Time

    func setTimer(_ duration: Duration, _ action: @escaping () -> Void) {
        timer?.cancel()
        timer = client.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration), action)
    }

    /// One timer for each connection, set again from the last byte when it rings, rather than with every byte.
    func watchIdleness(since last: NIODeadline = .now()) {
        lastByte = max(last, lastByte)
        timer?.cancel()
        timer = client.eventLoop.assumeIsolated().scheduleTask(deadline: lastByte + TimeAmount(limits.idleTime)) {
            guard self.state == .relaying else { return }
            if NIODeadline.now() >= self.lastByte + TimeAmount(self.limits.idleTime) {
                self.idle()
            } else {
                self.watchIdleness(since: self.lastByte)
            }
        }
    }

    private func idle() {
        if request?.kind == .tunnel || exchange.hasAnswered { finish(.idleTimeout) } else { refuse(.idleTimeout) }
    }

    // MARK: Ends

    func inputClosed(of end: End) {
        inputsClosed.insert(end)
        guard state == .relaying, request?.kind == .tunnel else {
            if state == .readingHead { finish(.clientGone) }
            if state == .leaving, isAnswerWritten, end == .client { close() }
            return
        }
        passOnEnd(of: end)
    }

    /// Tells the other end that this one has no more to say, behind all that it has said.
    private func passOnEnd(of end: End) {
        guard let other = channel(end.other) else { return }
        other.writeAndFlush(ByteBuffer()).assumeIsolated().whenComplete { _ in
            guard self.state == .relaying else { return }
            self.drained.insert(end.other)
            if self.drained.count == 2 { return self.finish(.relayed) }
            other.close(mode: .output, promise: nil)
        }
    }

    func inactive(_ end: End) {
        switch state {
        case .readingHead, .dialing: if end == .client { finish(.clientGone) }
        case .leaving: if end == .client { close() }
        case .ended: break
        case .relaying:
            // A reset ends both directions at once, an end that was announced lets the other direction be read out.
            drained.insert(end)
            if request?.kind == .tunnel, inputsClosed.contains(end), drained.count < 2 { return }
            if end == .target, request?.kind != .tunnel, !exchange.hasAnswered { return refuse(.unreachable, "it closed the connection") }
            finish(.relayed)
        }
    }

    func failed(_ end: End, _ error: any Error) {
        // A channel whose socket failed closes itself, which comes as an end; here it is about what its bytes meant.
        if error is IOError { return }
        switch (state, end) {
        case (.readingHead, .client), (.dialing, .client):
            if case .invalidEOFState = error as? HTTPParserError { return finish(.clientGone) }
            refuse(.malformed, "it is not HTTP/1.1")
        case (.relaying, .client): finish(.malformed)
        case (.relaying, .target):
            if exchange.hasAnswered { finish(.unreachable) } else { refuse(.unreachable, "its answer is not HTTP/1.1") }
        default: break
        }
    }

    // MARK: Leaving

    /// Answers the function itself, and ends.
    func refuse(_ verdict: EgressRecord.Verdict, _ detail: String = "") {
        guard state == .readingHead || state == .dialing || state == .relaying else { return }
        guard let answer = EgressAnswer(verdict, detail, limits: limits) else { return finish(verdict) }
        record.verdict = verdict
        write(.head(answer.head))
        write(.body(.byteBuffer(answer.body)))
        leave()
    }

    func write(_ part: HTTPServerResponsePart, promise: EventLoopPromise<Void>? = nil) {
        client.write(part, promise: promise)
    }

    /// Ends the answer and lets the function read it: a socket that is closed with something unread loses what was sent on it.
    func leave() {
        state = .leaving
        server.cancelResolution(for: self)
        target?.close(promise: nil)
        gate?.discard()
        setTimer(limits.idleTime) { self.close() }
        client.writeAndFlush(HTTPServerResponsePart.end(nil)).assumeIsolated().whenComplete { _ in
            guard self.state == .leaving else { return }
            self.isAnswerWritten = true
            self.setTimer(self.limits.lingerTime) { self.close() }
            if self.inputsClosed.contains(.client) { return self.close() }
            self.client.close(mode: .output, promise: nil)
            self.setValve(.client, open: true)
        }
    }

    /// Ends at once, with that verdict.
    func finish(_ verdict: EgressRecord.Verdict) {
        guard state != .ended else { return }
        if state != .leaving { record.verdict = verdict }
        close()
    }

    private func close() {
        guard state != .ended else { return }
        state = .ended
        timer?.cancel()
        server.cancelResolution(for: self)
        record.duration = Duration(NIODeadline.now() - accepted)
        gate = nil
        valves = [:]
        client.close(promise: nil)
        target?.close(promise: nil)
        server.remove(self, record)
    }
}
