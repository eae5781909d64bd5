internal import CSandboxProtocol
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The connection to `wayside-launcher`.
///
/// Requests are written by the caller's thread (one non-blocking `sendmsg`); one thread of the connection's own reads replies and
/// events, because descriptors come beside them and event loops do not take descriptors. Nothing waits under the lock.
///
/// States:
///
///     connected ──end of file, error or close()──► closed      (every request under way fails with `disconnected`)
public final class LauncherConnection: Sendable {
    /// Requests under way at once; one more is refused with `tooManyRequests`.
    public static let requestsMax = 4096

    private typealias Answer = Result<(process: UInt32, descriptors: [FileDescriptor], capabilities: LauncherCapabilities?), SandboxError>

    private struct State {
        var isOpen = true
        var nextRequestID: UInt64 = 1
        var underWay: [UInt64: CheckedContinuation<Answer, Never>] = [:]
    }

    private let socket: FileDescriptor
    private let state = Mutex(State())
    private let onEvent: @Sendable (LauncherEvent) -> Void

    /// Connects to the launcher and agrees on the version.
    ///
    /// - Parameters:
    ///   - helloTimeout: how long the launcher may take to accept and to greet; its socket exists before anybody serves it.
    ///   - onEvent: called on the connection's thread, in order; must not block. Its last call is `disconnected`.
    /// - Throws: `unreachable`, `versionMismatch`, `disconnected`.
    public static func connect(
        path: String, helloTimeout: Duration = .seconds(10), onEvent: @escaping @Sendable (LauncherEvent) -> Void
    ) async throws(SandboxError) -> (connection: LauncherConnection, capabilities: LauncherCapabilities) {
        let socket = ws_socket_connect(path)
        guard socket >= 0 else {
            let error = errno
            throw SandboxError(
                .unreachable, "no launcher answers at \(path) (\(Errno(rawValue: error))); start wayside-launcher",
                systemError: error)
        }
        let connection = LauncherConnection(socket: FileDescriptor(rawValue: socket), onEvent: onEvent)
        connection.limitReceiving(to: helloTimeout)
        Thread.detachNewThread { connection.receive() }
        guard let capabilities = try await connection.request(.hello).capabilities else {
            connection.close()
            throw SandboxError(.versionMismatch, "the launcher at \(path) speaks another protocol; install matching versions")
        }
        return (connection, capabilities)
    }

    private init(socket: FileDescriptor, onEvent: @escaping @Sendable (LauncherEvent) -> Void) {
        self.socket = socket
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

    /// Ends an instance with all its containers. `instanceExited` follows when they are gone.
    public func killInstance(_ id: UInt64) async throws(SandboxError) {
        _ = try await request(.killInstance(id))
    }

    /// Prepares, assigns or starts a container. A failed start has given everything back, but for a container that had been
    /// prepared before: its `containerExited` follows.
    public func startContainer(_ specification: ContainerSpecification) async throws(SandboxError) -> StartedContainer {
        let answer = try await request(.startContainer(specification))
        let fds = answer.descriptors
        return StartedContainer(
            processID: Int32(bitPattern: answer.process),
            descriptors: fds.count < 2 ? nil : ContainerDescriptors(channel: fds[0], log: fds[1], memoryPeak: fds.dropFirst(2).first))
    }

    /// Ends a container without waiting for the reply, so from any thread. `containerExited` follows when everything of it is gone.
    func postKillContainer(_ id: UInt64) { post(.killContainer(id)) }

    /// Ends an instance without waiting for the reply. `instanceExited` follows.
    func postKillInstance(_ id: UInt64) { post(.killInstance(id)) }

    /// Sends a request whose reply nobody waits for: the request id 0 is never under way, so the reply is dropped. A connection
    /// that takes no message has ended, and with it everything a request could be about.
    private func post(_ request: LauncherRequest) {
        guard let message = try? request.encoded(requestID: 0) else { return }
        _ = ws_socket_send(socket.rawValue, message, message.count, nil, 0)
    }

    /// Ends a container. `containerExited` follows when everything of it is gone.
    public func killContainer(_ id: UInt64) async throws(SandboxError) {
        _ = try await request(.killContainer(id))
    }

    private func request(
        _ request: LauncherRequest
    ) async throws(SandboxError) -> (process: UInt32, descriptors: [FileDescriptor], capabilities: LauncherCapabilities?) {
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
            if let failure = send(request, continuation) { continuation.resume(returning: .failure(failure)) }
        }
        return try answer.get()
    }

    /// - Returns: the error when the continuation was not or is no longer registered.
    private func send(_ request: LauncherRequest, _ continuation: CheckedContinuation<Answer, Never>) -> SandboxError? {
        let id: UInt64
        switch register(continuation) {
        case .success(let registered): id = registered
        case .failure(let error): return error
        }
        do throws(SandboxError) {
            let message = try request.encoded(requestID: id)
            guard ws_socket_send(socket.rawValue, message, message.count, nil, 0) == message.count else {
                let error = errno
                throw SandboxError(.disconnected, "the launcher takes no message (\(Errno(rawValue: error)))", systemError: error)
            }
            return nil
        } catch {
            // The reader may have answered it already when the connection broke meanwhile.
            return take(id) == nil ? nil : error
        }
    }

    private func register(_ continuation: CheckedContinuation<Answer, Never>) -> Result<UInt64, SandboxError> {
        state.withLock { state in
            guard state.isOpen else { return .failure(Self.disconnected) }
            guard state.underWay.count < Self.requestsMax else {
                return .failure(SandboxError(.tooManyRequests, "\(Self.requestsMax) launcher requests are under way; try again later"))
            }
            let id = state.nextRequestID
            state.nextRequestID += 1
            state.underWay[id] = continuation
            return .success(id)
        }
    }

    private func take(_ id: UInt64) -> CheckedContinuation<Answer, Never>? {
        state.withLock { $0.underWay.removeValue(forKey: id) }
    }

    private static let disconnected = SandboxError(.disconnected, "the connection to the launcher has ended; it is being restarted")
}

// MARK: - The reading thread

extension LauncherConnection {
    private func receive() {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(WS_MESSAGE_MAX), alignment: 16)
        var fds = [Int32](repeating: -1, count: Int(WS_SOCKET_FDS_MAX))
        defer { buffer.deallocate() }
        while true {
            var count = 0
            let length = ws_socket_receive(socket.rawValue, buffer.baseAddress, buffer.count, &fds, &count)
            if length < 0, errno == EINTR || errno == EMSGSIZE { continue }
            guard length > 0 else { break }
            let descriptors = fds.prefix(count).map { FileDescriptor(rawValue: $0) }
            handle(UnsafeRawBufferPointer(rebasing: buffer[..<length]), descriptors)
        }
        finish()
    }

    /// Ends the connection when nothing is received for so long; zero is for ever (`SO_RCVTIMEO`, socket(7)).
    private func limitReceiving(to limit: Duration) {
        var time = timeval(tv_sec: Int(limit.components.seconds), tv_usec: Int(limit.components.attoseconds / 1_000_000_000_000))
        setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    private func handle(_ bytes: UnsafeRawBufferPointer, _ descriptors: [FileDescriptor]) {
        var unclaimed = descriptors
        switch LauncherMessage(bytes) {
        case .capabilities(let id, let capabilities):
            limitReceiving(to: .zero)
            take(id)?.resume(returning: .success((0, [], capabilities)))
        case .reply(let id, let reply):
            guard let continuation = take(id) else { break }
            if reply.status.step == WS_STEP_NONE.rawValue {
                unclaimed = []
                continuation.resume(returning: .success((reply.process_id, descriptors, nil)))
            } else {
                continuation.resume(returning: .failure(Self.failure(reply.status)))
            }
        case .event(let event):
            onEvent(event)
        case nil:
            // A launcher of another version: nothing it says can be trusted.
            close()
        }
        for descriptor in unclaimed { try? descriptor.close() }
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
        for continuation in left.values { continuation.resume(returning: .failure(Self.disconnected)) }
        onEvent(.disconnected)
    }
}
