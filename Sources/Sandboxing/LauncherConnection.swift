internal import CSandboxProtocol
internal import EngineCore
internal import Foundation
internal import Synchronization
public import SystemPackage

/// The connection to `wayside-launcher`.
///
/// Requests are written by the caller's thread (one `sendmsg`); one thread of the connection's own reads replies and events, because
/// descriptors come beside them and event loops do not take descriptors. Nothing waits under the lock.
///
/// A launcher that takes no message for ``sendMax``, or owes a reply for ``replyMax``, hangs. Its connection is ended then, as if it had
/// died, and whoever keeps it starts another. To give up the one request would not do: what it asked for may be made later, for nobody.
///
/// States:
///
///     connected ──end of file, error, close(), the launcher hangs──► closed      (every request under way fails with `disconnected`)
public final class LauncherConnection: Sendable {
    /// Requests under way at once; one more is refused with `tooManyRequests`.
    public static let requestsMax = 4096
    /// How long a message may wait for the launcher to take those before it; the caller's thread waits with it.
    public static let sendMax = Duration.seconds(5)
    /// How long a request may be under way. The longest begin with the boot of a runtime, on a machine that is busy with others.
    public static let replyMax = Duration.seconds(60)
    /// How often it is looked whether a reply is overdue.
    private static let lookInterval = Duration.seconds(1)
    /// `WS_REPORT_MAX`; an expression in C that is not imported. No report is longer.
    static let reportBytesMax = 256 << 10

    struct Reply {
        var processID: Int32 = 0
        var descriptors = ReplyDescriptors.none
        var capabilities: LauncherCapabilities?
        var kept: KeptContainer?
    }

    typealias Answer = Result<Reply, SandboxError>
    typealias Completion = @Sendable (Answer) -> Void

    private struct State {
        var isOpen = true
        /// The launcher has answered the first request.
        var isGreeted = false
        var nextRequestID: UInt64 = 1
        var underWay: [UInt64: UnderWay] = [:]
    }

    private struct UnderWay {
        let completion: Completion
        let since: EngineInstant
    }

    private let socket: FileDescriptor
    private let replyMax: Duration
    private let state = Mutex(State())
    private let onEvent: @Sendable (LauncherEvent) -> Void

    /// Connects to the launcher and agrees on the version.
    ///
    /// - Parameters:
    ///   - helloTimeout: how long the launcher may take to accept and to greet; its socket exists before anybody serves it.
    ///   - sendMax: see ``sendMax``; `replyMax` likewise.
    ///   - messages: where the launcher's messages go from now on; stays the caller's. `nil`: where they went before.
    ///   - onEvent: called on the connection's thread, in order; must not block. Its last call is `disconnected`.
    /// - Throws: `unreachable`, `versionMismatch`, `disconnected`.
    public static func connect(
        path: String, helloTimeout: Duration = .seconds(10), sendMax: Duration = sendMax, replyMax: Duration = replyMax,
        messages: FileDescriptor? = nil,
        onEvent: @escaping @Sendable (LauncherEvent) -> Void
    ) async throws(SandboxError) -> (connection: LauncherConnection, capabilities: LauncherCapabilities) {
        let socket = ws_socket_connect(path)
        guard socket >= 0 else {
            let error = errno
            throw SandboxError(
                .unreachable, "no launcher answers at \(path) (\(Errno(rawValue: error))); start wayside-launcher",
                systemError: error)
        }
        let connection = LauncherConnection(socket: FileDescriptor(rawValue: socket), replyMax: replyMax, onEvent: onEvent)
        connection.limit(SO_SNDTIMEO, to: sendMax)
        connection.limit(SO_RCVTIMEO, to: helloTimeout)
        Thread.detachNewThread { connection.receive() }
        guard let capabilities = try await connection.request(.hello(messages: messages)).capabilities else {
            connection.close()
            throw SandboxError(.versionMismatch, "the launcher at \(path) speaks another protocol; install matching versions")
        }
        return (connection, capabilities)
    }

    private init(socket: FileDescriptor, replyMax: Duration, onEvent: @escaping @Sendable (LauncherEvent) -> Void) {
        self.socket = socket
        self.replyMax = replyMax
        self.onEvent = onEvent
    }

    deinit {
        // Only now can no thread be using the number any more.
        try? socket.close()
    }

    /// Ends the connection; the launcher then ends every instance made through it.
    public func close() {
        shutdown(socket.rawValue, Int32(SHUT_RDWR))
    }

    /// Makes the namespaces and cgroup of one tenant.
    public func createInstance(_ id: UInt64, limits: SandboxLimits) async throws(SandboxError) {
        _ = try await request(.createInstance(id: id, limits))
    }

    /// Makes an instance, for callers that go on with it before it is there: what they ask for inside it is answered afterwards.
    ///
    /// - Parameter completion: called once, on the connection's thread or before this returns; must not block.
    func createInstance(
        _ id: UInt64, limits: SandboxLimits, completion: @escaping @Sendable (Result<Void, SandboxError>) -> Void
    ) {
        request(.createInstance(id: id, limits)) { completion($0.map { _ in }) }
    }

    /// Ends an instance with all its containers. `instanceExited` follows when they are gone.
    public func killInstance(_ id: UInt64) async throws(SandboxError) {
        _ = try await request(.killInstance(id))
    }

    /// Prepares, assigns or starts a container. A failed start has given everything back, but for a container that had been
    /// prepared before: its `containerExited` follows.
    public func startContainer(_ specification: ContainerSpecification) async throws(SandboxError) -> StartedContainer {
        Self.started(try await request(.startContainer(specification)))
    }

    /// Starts a container, for callers that want its descriptors without waking a task.
    ///
    /// - Parameter completion: called once, on the connection's thread or before this returns; must not block.
    func startContainer(
        _ specification: ContainerSpecification, completion: @escaping @Sendable (Result<StartedContainer, SandboxError>) -> Void
    ) {
        request(.startContainer(specification)) { completion($0.map(Self.started)) }
    }

    private static func started(_ reply: Reply) -> StartedContainer {
        let descriptors = ContainerDescriptors(reply.descriptors)
        if descriptors == nil { close(reply.descriptors.all) }
        return StartedContainer(processID: reply.processID, descriptors: descriptors)
    }

    /// What holds for a running container, as the kernel says it (`ws_container_inspect`).
    ///
    /// - Returns: a sealed memory file with text, which the receiver closes.
    func inspectContainer(_ id: UInt64) async throws(SandboxError) -> FileDescriptor {
        let reply = try await request(.inspectContainer(id))
        guard let report = reply.descriptors[WS_DESCRIPTOR_REPORT], reply.descriptors.all.count == 1 else {
            Self.close(reply.descriptors.all)
            throw SandboxError(.stepFailed, "the launcher gave no report on container \(id)")
        }
        return report
    }

    /// Ends a container without waiting for the reply, so from any thread. `containerExited` follows when everything of it is gone.
    func postKillContainer(_ id: UInt64) { post(.killContainer(id)) }

    /// Ends an instance without waiting for the reply. `instanceExited` follows.
    func postKillInstance(_ id: UInt64) { post(.killInstance(id)) }

    /// Sends a request whose reply nobody waits for: with the id 0 it gets none. A connection that takes no message has ended, and
    /// with it everything a request could be about.
    private func post(_ request: LauncherRequest) {
        guard let message = try? request.encoded(requestID: 0) else { return }
        if ws_socket_send(socket.rawValue, message, message.count, nil, 0) < 0, errno == EAGAIN { close() }
    }

    /// Ends a container. `containerExited` follows when everything of it is gone.
    public func killContainer(_ id: UInt64) async throws(SandboxError) {
        _ = try await request(.killContainer(id))
    }

    func request(_ request: LauncherRequest) async throws(SandboxError) -> Reply {
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
            self.request(request) { continuation.resume(returning: $0) }
        }
        return try answer.get()
    }

    func request(_ request: LauncherRequest, _ completion: @escaping Completion) {
        if let failure = send(request, completion) { completion(.failure(failure)) }
    }

    /// - Returns: the error when the completion was not or is no longer registered.
    private func send(_ request: LauncherRequest, _ completion: @escaping Completion) -> SandboxError? {
        let id: UInt64
        switch register(completion) {
        case .success(let registered): id = registered
        case .failure(let error): return error
        }
        do throws(SandboxError) {
            let message = try request.encoded(requestID: id)
            let descriptors = request.descriptors
            guard ws_socket_send(socket.rawValue, message, message.count, descriptors, descriptors.count) == message.count else {
                let error = errno
                if error == EAGAIN { close() }
                throw SandboxError(.disconnected, "the launcher takes no message (\(Errno(rawValue: error)))", systemError: error)
            }
            return nil
        } catch {
            // The reader may have answered it already when the connection broke meanwhile.
            return take(id) == nil ? nil : error
        }
    }

    private func register(_ completion: @escaping Completion) -> Result<UInt64, SandboxError> {
        state.withLock { state in
            guard state.isOpen else { return .failure(Self.disconnected) }
            guard state.underWay.count < Self.requestsMax else {
                return .failure(SandboxError(.tooManyRequests, "\(Self.requestsMax) launcher requests are under way; try again later"))
            }
            let id = state.nextRequestID
            state.nextRequestID += 1
            state.underWay[id] = UnderWay(completion: completion, since: .now())
            return .success(id)
        }
    }

    private func take(_ id: UInt64) -> Completion? {
        state.withLock { $0.underWay.removeValue(forKey: id)?.completion }
    }

    private static let disconnected = SandboxError(.disconnected, "the connection to the launcher has ended; it is being restarted")
}

// MARK: - The reading thread

extension LauncherConnection {
    private func receive() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(WS_MESSAGE_MAX), alignment: 16)
        var fds = [Int32](repeating: -1, count: Int(WS_SOCKET_FDS_MAX))
        defer { buffer.deallocate() }
        var lookAt = EngineInstant.now() + Self.lookInterval
        while true {
            var count = 0
            let length = ws_socket_receive(socket.rawValue, buffer.baseAddress, buffer.count, &fds, &count)
            let hasWaited = length < 0 && errno == EAGAIN
            let now = EngineInstant.now()
            if hasWaited || now >= lookAt {
                guard !hangs(now, isSilent: hasWaited) else {
                    close()
                    break
                }
                lookAt = now + Self.lookInterval
            }
            if length < 0, hasWaited || errno == EINTR || errno == EMSGSIZE { continue }
            guard length > 0 else { break }
            let descriptors = fds.prefix(count).map { FileDescriptor(rawValue: $0) }
            handle(UnsafeRawBufferPointer(rebasing: buffer[..<length]), descriptors)
        }
        finish()
    }

    /// Whether it is too late for the greeting, or for a reply. O(requests under way).
    private func hangs(_ now: EngineInstant, isSilent: Bool) -> Bool {
        state.withLock { state in isSilent && !state.isGreeted || state.underWay.values.contains { now - $0.since > replyMax } }
    }

    /// How long a call of `SO_RCVTIMEO` or `SO_SNDTIMEO` (socket(7)) may take.
    private func limit(_ option: Int32, to limit: Duration) {
        var time = timeval(tv_sec: Int(limit.components.seconds), tv_usec: Int(limit.components.attoseconds / 1_000_000_000_000))
        setsockopt(socket.rawValue, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    private func handle(_ bytes: UnsafeRawBufferPointer, _ descriptors: [FileDescriptor]) {
        var unclaimed = descriptors
        defer { Self.close(unclaimed) }
        switch LauncherMessage(bytes) {
        case .capabilities(let id, let capabilities):
            state.withLock { $0.isGreeted = true }
            limit(SO_RCVTIMEO, to: Self.lookInterval)
            take(id)?(.success(Reply(capabilities: capabilities)))
        case .reply(let id, let reply):
            guard let completion = take(id) else { break }
            guard reply.status.step == WS_STEP_NONE.rawValue else {
                return completion(.failure(Self.failure(reply.status)))
            }
            guard let given = ReplyDescriptors(bits: reply.descriptors, descriptors) else {
                let counts = "\(reply.descriptors.nonzeroBitCount) descriptors announced, \(descriptors.count) received"
                return completion(.failure(SandboxError(.stepFailed, "the launcher's reply is wrong: \(counts)")))
            }
            unclaimed = []
            let processID = Int32(bitPattern: reply.process_id)
            completion(.success(Reply(processID: processID, descriptors: given)))
        case .adopted(let id, let kept):
            guard let completion = take(id) else { break }
            guard let kept else { return completion(.success(Reply())) }
            guard let given = ReplyDescriptors(bits: kept.bits, descriptors).flatMap({ ContainerDescriptors($0) }) else {
                return completion(.failure(SandboxError(.stepFailed, "what came with container \(kept.container) is not all there")))
            }
            unclaimed = []
            completion(.success(Reply(kept: KeptContainer(message: kept, descriptors: given))))
        case .event(let event):
            onEvent(event)
        case nil:
            // A launcher of another version: nothing it says can be trusted.
            close()
        }
    }

    private static func close(_ descriptors: [FileDescriptor]) {
        // Whatever close(2) answers, they are gone.
        for descriptor in descriptors { try? descriptor.close() }
    }

    private static func failure(_ status: ws_status) -> SandboxError {
        let step = String(cString: ws_step_name(status.step))
        return SandboxError(
            .stepFailed, "the launcher failed at step \(step): \(Errno(rawValue: status.error))", step: step, systemError: status.error)
    }

    /// Fails what is under way.
    private func finish() {
        let left = state.withLock { state in
            state.isOpen = false
            defer { state.underWay = [:] }
            return state.underWay
        }
        for request in left.values { request.completion(.failure(Self.disconnected)) }
        onEvent(.disconnected)
    }
}
