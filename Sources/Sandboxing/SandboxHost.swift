public import EngineCore
public import Logging
public import NIOCore
internal import NIOPosix
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#endif

/// All sandboxes of this node: the launcher process, the instances and containers made through it, and what becomes of them.
///
///     down ──started, or taken over, and connected──► up ──connection or process ended──► down (after a pause)
///                                  └──cancelled──► over
///
/// Going down ends everything but what is parked: each container's call is answered, each container and instance is reported, then
/// `launcherLost`.
public final class SandboxHost: Sendable {
    struct State {
        var connection: LauncherConnection?
        /// Of the launcher that is connected.
        var cgroupVersion = 0
        var generation: UInt64 = 0
        var instances: Set<UInt64> = []
        var containers: [UInt64: SandboxContainer] = [:]
        var waiters: [Latch<Result<Void, SandboxError>>] = []
        /// The one container beside the pools, if there is one.
        var probe: Probe?
        var lastProbe: UInt64 = 0
        /// What the launcher has kept of an earlier process.
        var parked = ParkedContainers.none
        /// With containers that this process has parked.
        var parkedInstances: Set<UInt64> = []
    }

    public let manifests: [RuntimeManifest]
    /// The runtimes whose program is not on this host, by name.
    public let missingRuntimes: [String]
    let configuration: SandboxHostConfiguration
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger
    let onEvent: @Sendable (SandboxHostEvent) -> Void
    let state = Mutex(State())
    let egress: (any EgressServing)?
    private let profiles = FunctionProfiles()
    private let byIdentifier: [String: RuntimeManifest]

    /// Reads the runtimes' manifests; nothing is started yet. A runtime whose program is not installed is left out.
    ///
    /// - Parameters:
    ///   - egress: serves the way out of functions with an allow-list; `nil`: they cannot be started here.
    ///   - onEvent: called on no particular thread, in order; must not block.
    /// - Throws: `configurationInvalid`.
    public init(
        configuration: SandboxHostConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger,
        egress: (any EgressServing)? = nil, onEvent: @escaping @Sendable (SandboxHostEvent) -> Void
    ) throws(SandboxError) {
        let runtimes = try RuntimeManifest.all(in: configuration.runtimes)
        manifests = runtimes.installed
        missingRuntimes = runtimes.missing.map(\.name)
        for missing in runtimes.missing {
            logger.warning(
                "runtime \(missing.name) is left out: its program is not on this host", metadata: ["command": "\(missing.command)"])
        }
        byIdentifier = Dictionary(manifests.flatMap { manifest in manifest.identifiers.map { ($0, manifest) } }) { first, _ in first }
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.egress = egress
        self.onEvent = onEvent
    }

    /// The runtime that serves an identifier such as `python3.13`; `nil` if none does. O(1).
    public func manifest(for runtimeIdentifier: String) -> RuntimeManifest? { byIdentifier[runtimeIdentifier] }

    /// What the calls of a function have cost here; `nil` if none has run here, or not for long. O(1).
    public func profile(of function: FunctionKey) -> FunctionProfile? { profiles.profile(of: function) }

    /// The home of a caller on this thread (``SandboxContainer/home``); `nil` for one that is on no event loop.
    public var currentHome: ObjectIdentifier? { MultiThreadedEventLoopGroup.currentEventLoop.map { ObjectIdentifier($0) } }

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
        guard let manifest = manifests.first(where: { $0.name == runtime }) else {
            throw SandboxError(.invalidArgument, "there is no runtime \(runtime)")
        }
        do throws(SandboxError) {
            let made = try makeContainer(container, in: instance, manifest)
            let specification = ContainerSpecification(
                instance: instance, container: container, stages: .prepare, runtime: manifest.name,
                limits: SandboxLimits(processes: SandboxContainer.processesMax))
            try await start(made, specification, isNew: true)
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
    /// - Throws: what the launcher says, of which nothing is left then; `invalidArgument` for an unknown runtime, and for a function
    ///   with an allow-list where nobody serves its egress.
    public func startContainer(
        _ container: UInt64, in instance: UInt64, for version: PinnedVersion, bundle: String
    ) async throws(SandboxError) -> SandboxContainer {
        try await startContainer(container, in: instance, isNew: false, for: version, bundle: bundle) { _ in }
    }

    /// Makes an instance and starts a container in it, as ``startContainer(_:in:for:bundle:)`` does; both are asked for at once.
    ///
    /// - Throws: the same, and what the launcher says of the instance. What had been made until then is ended.
    public func startContainer(
        _ container: UInt64, inNew instance: UInt64, for version: PinnedVersion, bundle: String
    ) async throws(SandboxError) -> SandboxContainer {
        do throws(SandboxError) {
            return try await startContainer(container, in: instance, isNew: true, for: version, bundle: bundle) { _ in }
        } catch {
            killInstance(instance)
            throw error
        }
    }

    /// - Parameters:
    ///   - isNew: whether the instance is to be made.
    ///   - adjust: changes what the launcher is asked for.
    func startContainer(
        _ container: UInt64, in instance: UInt64, isNew: Bool, for version: PinnedVersion, bundle: String,
        _ adjust: (inout ContainerSpecification) -> Void
    ) async throws(SandboxError) -> SandboxContainer {
        guard let manifest = manifest(for: version.runtime) else {
            throw SandboxError(.invalidArgument, "no runtime serves \(version.runtime)")
        }
        guard version.sandbox.egress.isNone || egress != nil else {
            throw SandboxError(.invalidArgument, "the function may connect to other hosts, and this node serves no egress")
        }
        let made = try makeContainer(container, in: instance, manifest)
        var (specification, environment) = try made.adopt(version)
        specification.stages = [.prepare, .assign]
        specification.bundle = bundle
        adjust(&specification)
        try await start(made, specification, isNew: isNew) { made.prepareInitialisation(version, environment) }
        return made
    }

    /// Ends an instance with everything in it, but for what is parked. `instanceEnded` follows, unless it is gone already; of one that
    /// lives on for a parked container, when the host ends.
    public func killInstance(_ instance: UInt64) {
        let (connection, containers, isParked) = state.withLock { state in
            state.instances.contains(instance)
                ? (
                    state.connection, state.containers.values.filter { $0.owner.instance == instance },
                    state.parkedInstances.contains(instance)
                ) : (nil, [], false)
        }
        if isParked { return containers.forEach { $0.kill() } }
        for container in containers { container.stopFreezing() }
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

    func makeContainer(
        _ id: UInt64, in instance: UInt64, _ manifest: RuntimeManifest
    ) throws(SandboxError) -> SandboxContainer {
        var cgroupVersion = 0
        let launcher = try connection { cgroupVersion = $0.cgroupVersion }
        let owner = SandboxContainer.Owner(
            launcher: launcher, instance: instance, cgroupVersion: cgroupVersion, initTimeout: configuration.initTimeout,
            logBytesMax: configuration.logBytesMax, freezeAfter: configuration.freezeAfter, cpu: configuration.cpu, profiles: profiles,
            egress: egress, onEnded: { [weak self] id in self?.containerEnded(id) })
        // On the event loop of the call that it is made for, if that is on one: then no other thread has a part in it.
        return SandboxContainer(id, manifest: manifest, owner: owner, eventLoop: eventLoopGroup.any())
    }

    /// Asks the launcher for a container, and before that for its instance if that is new, without waiting in between.
    ///
    /// - Parameter meanwhile: what can be done while the launcher works.
    private func start(
        _ container: SandboxContainer, _ specification: ContainerSpecification, isNew: Bool, meanwhile: () -> Void = {}
    ) async throws(SandboxError) {
        let instance = specification.instance
        // Known before they exist, so that no end can come too early to be reported; unless the launcher has gone since the
        // container was made for it.
        let current = try connection { state in
            guard state.connection === container.owner.launcher else { return }
            state.containers[container.id] = container
            if isNew { state.instances.insert(instance) }
        }
        guard current === container.owner.launcher else {
            throw SandboxError(.disconnected, "the launcher has been restarted; try again")
        }
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, SandboxError>, Never>) in
            let instanceFailure = FirstError()
            if isNew {
                current.createInstance(instance, limits: SandboxLimits()) { result in
                    guard case .failure(let error) = result else { return }
                    self.state.withLock { _ = $0.instances.remove(instance) }
                    instanceFailure.set(error)
                }
            }
            // Answered behind the instance, whose failure is the reason for this one's.
            current.startContainer(specification) { result in
                // A container that is only prepared has no bundle yet.
                if case .success = result, specification.stages.contains(.assign) { container.mounted() }
                self.take(result.mapError { instanceFailure.value ?? $0 }, container) { continuation.resume(returning: $0) }
            }
            meanwhile()
        }
        try result.get()
    }

    /// The launcher's answer to a start. On its connection's thread.
    private func take(
        _ result: Result<StartedContainer, SandboxError>, _ container: SandboxContainer,
        _ completion: @escaping @Sendable (Result<Void, SandboxError>) -> Void
    ) {
        switch result {
        case .failure(let error):
            if let reason = container.stillbirth(of: error) {
                container.beStillborn(reason)
                return completion(.success(()))
            }
            state.withLock { _ = $0.containers.removeValue(forKey: container.id) }
            completion(.failure(error))
        case .success(let started):
            guard let descriptors = started.descriptors else {
                container.kill()
                return completion(
                    .failure(SandboxError(.stepFailed, "the launcher gave no descriptors for container \(container.id)")))
            }
            container.attach(descriptors).whenComplete { attached in
                completion(
                    attached.mapError { error in
                        container.kill()
                        return SandboxError(.stepFailed, "the descriptors of container \(container.id) cannot be used (\(error))")
                    })
            }
        }
    }

    func containerEnded(_ id: UInt64) {
        let known = state.withLock { $0.containers.removeValue(forKey: id) }
        if known != nil { report(.containerEnded(id)) }
    }
}

/// An error that a later one is the consequence of.
private final class FirstError: Sendable {
    private let error = Mutex<SandboxError?>(nil)

    var value: SandboxError? { error.withLock { $0 } }

    func set(_ value: SandboxError) { error.withLock { $0 = $0 ?? value } }
}
