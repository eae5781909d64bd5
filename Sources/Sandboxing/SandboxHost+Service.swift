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

    /// Starts the launcher and keeps it running until the task is cancelled; then ends it, and with it every sandbox but those parked.
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

    /// Whether the launcher takes requests.
    public var isReady: Bool { state.withLock { $0.connection != nil } }

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

    /// A connection that takes requests.
    struct Link {
        let connection: LauncherConnection
        let capabilities: LauncherCapabilities
        /// Opens when it has ended.
        let isOver: Latch<Void>
    }

    /// Starts the launcher's process, or takes over one that keeps what an earlier process has parked, and serves its connections: its
    /// worker may be replaced while it lives.
    private func serve() async throws(SandboxError) {
        // A launcher of somebody else's is only connected to, again and again.
        if configuration.launcherSocket != nil { return await serve(try await connect(nil)) }
        let arguments = configuration.ownArguments(manifests, peer: geteuid())
        if let (link, launcher) = try await takeOver(arguments) {
            await serve(link)
            // It ends by itself, unless we have parked something too.
            if !hasParked { await end(launcher) }
            return
        }
        let process = try LauncherProcess(arguments, on: eventLoopGroup.next(), logger: logger)
        let result = await withTaskCancellationHandler {
            await keepConnected(process)
        } onCancel: {
            if !hasParked { process.terminate() }
        }
        // It lives on for those that are parked, and ends by itself; its process is nobody's child then.
        guard !hasParked else { return }
        process.terminate()
        // The exit is only ever fulfilled, and is certain to come.
        _ = try? await process.exit.get()
        try result.get()
    }

    private var hasParked: Bool { state.withLock { !$0.parkedInstances.isEmpty } }

    private func keepConnected(_ process: LauncherProcess) async -> Result<Void, SandboxError> {
        while !Task.isCancelled {
            do throws(SandboxError) {
                await serve(try await connect(process))
            } catch {
                return .failure(error)
            }
            guard !process.hasEnded else { return .success(()) }
        }
        return .success(())
    }

    private func serve(_ link: Link) async {
        state.withLock { state in
            state.connection = link.connection
            state.cgroupVersion = link.capabilities.cgroupVersion
            state.parked = link.capabilities.parked
            state.generation = Self.generation(of: link.capabilities.processID)
        }
        onEvent(.launcherReady)
        tellWaiters(.success(()))
        await withTaskCancellationHandler {
            _ = await link.isOver.wait()
        } onCancel: {
            link.connection.close()
        }
        link.connection.close()
        lost()
    }

    private func connect(_ process: LauncherProcess?) async throws(SandboxError) -> Link {
        let limit = EngineInstant.now() + configuration.startTimeout
        while true {
            do throws(SandboxError) {
                return try await connect(within: configuration.startTimeout)
            } catch {
                guard process?.hasEnded != true else {
                    throw SandboxError(.unreachable, "the launcher ended while it started; its messages are in the log")
                }
                guard !Task.isCancelled, EngineInstant.now() < limit, error.code != .versionMismatch else { throw error }
            }
            try? await Task.sleep(for: Self.connectionRetry)
        }
    }

    /// One attempt.
    ///
    /// - Parameter messages: where the launcher's messages are to go; `nil`: where they go already.
    func connect(within limit: Duration, messages: SystemPackage.FileDescriptor? = nil) async throws(SandboxError) -> Link {
        let isOver = Latch<Void>()
        let (connection, capabilities) = try await LauncherConnection.connect(
            path: configuration.socketPath, helloTimeout: limit, messages: messages
        ) { [weak self] event in
            if case .disconnected = event { isOver.open(()) } else { self?.take(event) }
        }
        logger.info("launcher ready", metadata: capabilities.metadata)
        return Link(connection: connection, capabilities: capabilities, isOver: isOver)
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
        let isOver = Task.isCancelled
        let (containers, instances) = state.withLock { state in
            state.connection = nil
            state.parked = .none
            // A launcher that is lost, and not only let go of, has kept nothing.
            if !isOver { state.parkedInstances = [] }
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
}

extension LauncherCapabilities {
    fileprivate var metadata: Logger.Metadata {
        [
            "pid": "\(processID)", "privileged": "\(isPrivileged)", "cgroups": "\(cgroupVersion)", "landlock": "\(landlockABI)",
            "parked": "\(parked.count)",
        ]
    }
}
