public import EngineCore
public import Logging
public import NIOCore
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#endif

/// All sandboxes of this node: the launcher process, the instances and containers made through it, and what becomes of them.
///
///     down ──started, connected──► up ──connection or process ended──► down (after a pause)
///                                  └──cancelled──► over
///
/// Going down ends everything: each container's call is answered, each container and instance is reported, then `launcherLost`.
public final class SandboxHost: Sendable {
    struct State {
        var connection: LauncherConnection?
        var instances: Set<UInt64> = []
        var containers: [UInt64: SandboxContainer] = [:]
        var waiters: [Latch<Result<Void, SandboxError>>] = []
    }

    public let manifests: [RuntimeManifest]
    let configuration: SandboxHostConfiguration
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger
    let onEvent: @Sendable (SandboxHostEvent) -> Void
    let state = Mutex(State())
    private let byIdentifier: [String: RuntimeManifest]

    /// Reads the runtimes' manifests; nothing is started yet.
    ///
    /// - Parameter onEvent: called on no particular thread, in order; must not block.
    /// - Throws: `configurationInvalid`.
    public init(
        configuration: SandboxHostConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger,
        onEvent: @escaping @Sendable (SandboxHostEvent) -> Void
    ) throws(SandboxError) {
        manifests = try RuntimeManifest.all(in: configuration.runtimes)
        byIdentifier = Dictionary(manifests.flatMap { manifest in manifest.identifiers.map { ($0, manifest) } }) { first, _ in first }
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onEvent = onEvent
    }

    /// The runtime that serves an identifier such as `python3.13`; `nil` if none does. O(1).
    public func manifest(for runtimeIdentifier: String) -> RuntimeManifest? { byIdentifier[runtimeIdentifier] }

    // MARK: Instances

    /// Makes an instance and in it a prepared container, for the warming pool. Returns when its runtime is booted, where the
    /// runtime can boot before it knows its function.
    ///
    /// - Parameter runtime: a manifest's name.
    /// - Throws: what the launcher says; `containerEnded` when the runtime ended or took longer than `startTimeout`. What had been
    ///   made until then is ended, and reported as ended.
    public func bootInstance(
        _ instance: UInt64, spare container: UInt64, runtime: String
    ) async throws(SandboxError) -> SandboxContainer {
        guard let manifest = manifests.first(where: { $0.name == runtime }) ?? manifest(for: runtime) else {
            throw SandboxError(.invalidArgument, "there is no runtime \(runtime)")
        }
        try await createInstance(instance)
        do throws(SandboxError) {
            let made = try makeContainer(container, in: instance, manifest)
            let specification = ContainerSpecification(
                instance: instance, container: container, stages: .prepare, runtime: manifest.name,
                limits: SandboxLimits(processes: SandboxContainer.processesMax))
            try await start(made, specification)
            try await made.waitUntilBooted(within: configuration.startTimeout)
            return made
        } catch {
            killInstance(instance)
            throw error
        }
    }

    /// Makes an empty instance.
    public func createInstance(_ instance: UInt64) async throws(SandboxError) {
        // Known before it exists, so that its end cannot come too early to be reported.
        let connection = try connection { $0.instances.insert(instance) }
        do throws(SandboxError) {
            try await connection.createInstance(instance, limits: SandboxLimits())
        } catch {
            state.withLock { _ = $0.instances.remove(instance) }
            throw error
        }
    }

    /// Starts a container for a function's version, from nothing to its own program or a runtime that is booting; its first call
    /// initialises it. A bundle without an executable `bootstrap` is no error here: the first call is told, as on Lambda.
    ///
    /// - Parameter bundle: the unpacked bundle, relative to the content folder.
    /// - Throws: what the launcher says, of which nothing is left then; `invalidArgument` for an unknown runtime.
    public func startContainer(
        _ container: UInt64, in instance: UInt64, for version: PinnedVersion, bundle: String
    ) async throws(SandboxError) -> SandboxContainer {
        guard let manifest = manifest(for: version.runtime) else {
            throw SandboxError(.invalidArgument, "no runtime serves \(version.runtime)")
        }
        let made = try makeContainer(container, in: instance, manifest)
        var specification = try made.adopt(version)
        specification.stages = [.prepare, .assign]
        specification.bundle = bundle
        try await start(made, specification)
        return made
    }

    /// Ends an instance with everything in it. `instanceEnded` follows, unless it is gone already.
    public func killInstance(_ instance: UInt64) {
        let connection = state.withLock { $0.instances.contains(instance) ? $0.connection : nil }
        connection?.postKillInstance(instance)
    }

    /// Ends a container; a call under way in it is answered as the engine's doing. `containerEnded` follows, unless it is gone.
    public func killContainer(_ container: UInt64) {
        state.withLock { $0.containers[container] }?.kill()
    }

    // MARK: Containers

    /// The connection, or the error that there is none now; with a change of state made together with looking.
    private func connection(_ change: (inout State) -> Void) throws(SandboxError) -> LauncherConnection {
        let connection = state.withLock { state -> LauncherConnection? in
            guard let connection = state.connection else { return nil }
            change(&state)
            return connection
        }
        guard let connection else { throw SandboxError(.unreachable, "the launcher is being started; try again") }
        return connection
    }

    private func makeContainer(
        _ id: UInt64, in instance: UInt64, _ manifest: RuntimeManifest
    ) throws(SandboxError) -> SandboxContainer {
        let launcher = try connection { _ in }
        let owner = SandboxContainer.Owner(
            launcher: launcher, instance: instance, initTimeout: configuration.initTimeout, logBytesMax: configuration.logBytesMax,
            onEnded: { [weak self] id in self?.containerEnded(id) })
        return SandboxContainer(id, manifest: manifest, owner: owner, eventLoop: eventLoopGroup.next())
    }

    private func start(_ container: SandboxContainer, _ specification: ContainerSpecification) async throws(SandboxError) {
        // Known before it exists, as with instances; unless the launcher has gone since the container was made for it.
        let current = try connection { state in
            if state.connection === container.owner.launcher { state.containers[container.id] = container }
        }
        guard current === container.owner.launcher else {
            throw SandboxError(.disconnected, "the launcher has been restarted; try again")
        }
        let started: StartedContainer
        do throws(SandboxError) {
            started = try await current.startContainer(specification)
        } catch {
            if container.isMissingEntrypoint(error) { return container.beStillborn(.noEntrypoint) }
            state.withLock { _ = $0.containers.removeValue(forKey: container.id) }
            throw error
        }
        guard let descriptors = started.descriptors else {
            container.kill()
            throw SandboxError(.stepFailed, "the launcher gave no descriptors for container \(container.id)")
        }
        do { try await container.attach(descriptors).get() } catch {
            container.kill()
            throw SandboxError(.stepFailed, "the descriptors of container \(container.id) cannot be used (\(error))")
        }
    }

    private func containerEnded(_ id: UInt64) {
        let known = state.withLock { $0.containers.removeValue(forKey: id) }
        if known != nil { onEvent(.containerEnded(id)) }
    }
}
