internal import EngineCore
internal import Logging
internal import NIOCore
internal import Synchronization
internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

// Keeping the launcher alive.
extension SandboxHost {
    /// Pauses after a launcher was lost or did not start; one that was up for `steady` begins at the first again.
    private static let pauses: [Duration] = [
        .milliseconds(20), .milliseconds(100), .milliseconds(500), .seconds(2), .seconds(5),
    ]
    private static let steady = Duration.seconds(30)
    private static let connectionRetry = Duration.milliseconds(5)
    /// Tasks that wait for the launcher at once.
    private static let waitersMax = 1024

    /// Starts the launcher and keeps it running until the task is cancelled; then ends it, and with it every sandbox.
    public func run() async throws {
        var failures = 0
        while !Task.isCancelled {
            let began = EngineInstant.now()
            do throws(SandboxError) {
                try await serve()
            } catch {
                if !Task.isCancelled { logger.error("the launcher is not available: \(error.message)") }
                tellWaiters(.failure(error))
            }
            if EngineInstant.now() - began > Self.steady { failures = 0 }
            // A cancelled pause ends the loop.
            try? await Task.sleep(for: Self.pauses[failures])
            failures = min(failures + 1, Self.pauses.count - 1)
        }
        tellWaiters(.failure(SandboxError(.unreachable, "the host of the launcher has ended")))
    }

    /// Returns when the launcher takes requests.
    ///
    /// - Throws: why the attempt that was under way failed; `run` goes on trying.
    public func waitUntilReady() async throws(SandboxError) {
        let latch = Latch<Result<Void, SandboxError>>()
        let isReady = state.withLock { state in
            guard state.connection == nil else { return true }
            if state.waiters.count >= Self.waitersMax { state.waiters.removeFirst().open(nil) }
            state.waiters.append(latch)
            return false
        }
        guard !isReady else { return }
        guard let result = await latch.wait() else { throw SandboxError(.disconnected, "waiting for the launcher was cancelled") }
        try result.get()
    }

    private func tellWaiters(_ result: Result<Void, SandboxError>) {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.open(result) }
    }

    // MARK: One life of the launcher

    /// Starts the launcher's process and serves its connections: its worker may be replaced while it lives.
    private func serve() async throws(SandboxError) {
        // A launcher of somebody else's is only connected to, again and again.
        if configuration.launcherSocket != nil { return try await serveConnection(nil) }
        try await endLeftover()
        let process = try LauncherProcess(
            configuration.arguments(manifests, peer: geteuid()), on: eventLoopGroup.next(), logger: logger)
        let result = await withTaskCancellationHandler {
            await keepConnected(process)
        } onCancel: {
            process.terminate()
        }
        process.terminate()
        // The exit is only ever fulfilled, and is certain to come.
        _ = try? await process.exit.get()
        try result.get()
    }

    private func keepConnected(_ process: LauncherProcess) async -> Result<Void, SandboxError> {
        while !Task.isCancelled {
            do throws(SandboxError) {
                try await serveConnection(process)
            } catch {
                return .failure(error)
            }
            guard !process.hasEnded else { return .success(()) }
        }
        return .success(())
    }

    private func serveConnection(_ process: LauncherProcess?) async throws(SandboxError) {
        let (connection, capabilities, isOver) = try await connect(process)
        state.withLock { state in
            state.connection = connection
            state.cgroupVersion = capabilities.cgroupVersion
        }
        onEvent(.launcherReady)
        tellWaiters(.success(()))
        await withTaskCancellationHandler {
            _ = await isOver.wait()
        } onCancel: {
            connection.close()
        }
        connection.close()
        lost()
    }

    /// - Returns: the connection, what its launcher can do, and a latch that opens when it has ended.
    private func connect(
        _ process: LauncherProcess?
    ) async throws(SandboxError) -> (LauncherConnection, LauncherCapabilities, Latch<Void>) {
        let limit = EngineInstant.now() + configuration.startTimeout
        while true {
            let isOver = Latch<Void>()
            do throws(SandboxError) {
                let (connection, capabilities) = try await LauncherConnection.connect(
                    path: configuration.socketPath, helloTimeout: configuration.startTimeout
                ) { [weak self] event in
                    if case .disconnected = event { isOver.open(()) } else { self?.take(event) }
                }
                logger.info("launcher ready", metadata: capabilities.metadata)
                return (connection, capabilities, isOver)
            } catch {
                guard process?.hasEnded != true else {
                    throw SandboxError(.unreachable, "the launcher ended while it started; its messages are in the log")
                }
                guard !Task.isCancelled, EngineInstant.now() < limit, error.code != .versionMismatch else { throw error }
            }
            try? await Task.sleep(for: Self.connectionRetry)
        }
    }

    // MARK: Events

    /// On the connection's thread.
    private func take(_ event: LauncherEvent) {
        switch event {
        case .containerExited(let id, let exit):
            state.withLock { $0.containers[id] }?.ended(.reported(exit))
        case .containerLearned(let id, let systemCalls):
            state.withLock { $0.probe }?.learned(id, systemCalls)
        case .instanceExited(let id):
            instanceEnded(id)
        case .zygoteExited(let runtime, let status):
            logger.warning("the zygote of runtime \(runtime) ended with wait status \(status); the launcher boots another")
        case .disconnected:
            break
        }
    }

    private func instanceEnded(_ id: UInt64) {
        let (isKnown, containers) = state.withLock { state in
            (state.instances.remove(id) != nil, state.containers.values.filter { $0.owner.instance == id })
        }
        // Nobody makes a first call any more to a container that would wait for one to be told its end.
        for container in containers { container.kill() }
        if isKnown { report(.instanceEnded(id)) }
    }

    /// Tells the owner of the pools what is theirs, and a probe what is its.
    func report(_ event: SandboxHostEvent) {
        switch event {
        case .containerEnded(let id) where Probe.owns(id): state.withLock { $0.probe }?.containerEnded(id)
        case .instanceEnded(let id) where Probe.owns(id): break
        default: onEvent(event)
        }
    }

    private func lost() {
        let (containers, instances) = state.withLock { state in
            state.connection = nil
            defer { state.instances = [] }
            return (state.containers.values, state.instances)
        }
        for container in containers {
            container.kill()
            container.ended(.lost)
        }
        for instance in instances { report(.instanceEnded(instance)) }
        onEvent(.launcherLost)
    }

    // MARK: Leftovers

    /// Ends a launcher that an earlier daemon has left at our socket: the kernel ends it with its daemon, but for the moment
    /// between its start and the request for that.
    private func endLeftover() async throws(SandboxError) {
        guard let (connection, capabilities) = try? await LauncherConnection.connect(
            path: configuration.socketPath, helloTimeout: .seconds(1), onEvent: { _ in })
        else { return }
        connection.close()
        guard let supervisor = Self.parent(of: capabilities.processID), Self.name(of: supervisor) == Self.name(of: capabilities.processID)
        else {
            throw SandboxError(.unreachable, "another launcher serves \(configuration.socketPath); stop it first")
        }
        logger.warning("ending a launcher that was left over", metadata: ["pid": "\(supervisor)"])
        let limit = EngineInstant.now() + configuration.startTimeout
        var signal = SIGTERM
        while kill(supervisor, signal) == 0, EngineInstant.now() < limit, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(50))
            signal = 0
        }
    }

    private static func parent(of process: Int32) -> Int32? {
        // The name in parentheses may contain anything; what follows the last one is numbers (proc(5)).
        guard let text = read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]).flatMap { $0 > 1 ? $0 : nil } : nil
    }

    private static func name(of process: Int32) -> String? { read("/proc/\(process)/comm") }

    private static func read(_ path: String) -> String? {
        guard let file = try? SystemPackage.FileDescriptor.open(SystemPackage.FilePath(path), .readOnly) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 4096)
        guard let count = try? bytes.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

extension LauncherCapabilities {
    fileprivate var metadata: Logger.Metadata {
        ["pid": "\(processID)", "privileged": "\(isPrivileged)", "cgroups": "\(cgroupVersion)", "landlock": "\(landlockABI)"]
    }
}
