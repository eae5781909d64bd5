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
    private let eventLoops: [ObjectIdentifier: any EventLoop]

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
        eventLoops = Dictionary(eventLoopGroup.makeIterator().map { (ObjectIdentifier($0), $0) }) { first, _ in first }
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

    /// Runs `work` when the event loop that this is called on has done what it does now; from another thread, on any.
    public func soon(_ work: @escaping @Sendable () -> Void) { eventLoopGroup.any().execute(work) }

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
            let made = try makeContainer(container, in: instance, manifest, at: nil)
            let specification = ContainerSpecification(
                instance: instance, container: container, stages: .prepare, runtime: manifest.name,
                limits: SandboxLimits(processes: SandboxContainer.processesMax))
            try await prepare(made, specification)
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
        for container in containers { container.endWithInstance() }
        connection?.postKillInstance(instance)
    }

    /// Ends a container; a call under way in it is answered as the engine's doing. `containerEnded` follows, unless it is gone.
    public func killContainer(_ container: UInt64) {
        state.withLock { $0.containers[container] }?.kill()
    }

    // MARK: Containers

    /// The connection, or the error that there is none now; with a change of state made together with looking.
    func connection(_ change: (inout State) -> Void) throws(SandboxError) -> LauncherConnection {
        let connection = state.withLock { state -> LauncherConnection? in
            guard let connection = state.connection else { return nil }
            change(&state)
            return connection
        }
        guard let connection else { throw SandboxError(.unreachable, "the launcher is being started; try again") }
        return connection
    }

    /// - Parameter home: the event loop it is to be on; `nil` or an unknown one: the caller's, or any.
    func makeContainer(
        _ id: UInt64, in instance: UInt64, _ manifest: RuntimeManifest, at home: ObjectIdentifier?
    ) throws(SandboxError) -> SandboxContainer {
        var cgroupVersion = 0
        let launcher = try connection { cgroupVersion = $0.cgroupVersion }
        let owner = SandboxContainer.Owner(
            launcher: launcher, instance: instance, cgroupVersion: cgroupVersion, initTimeout: configuration.initTimeout,
            logBytesMax: configuration.logBytesMax, freezeAfter: configuration.freezeAfter, cpu: configuration.cpu, profiles: profiles,
            egress: egress, onEnded: { [weak self] id in self?.containerEnded(id) })
        // On the event loop of the call that it is made for, if that is on one: then no other thread has a part in it.
        return SandboxContainer(
            id, manifest: manifest, owner: owner, eventLoop: home.flatMap { eventLoops[$0] } ?? eventLoopGroup.any())
    }

    func containerEnded(_ id: UInt64) {
        let known = state.withLock { $0.containers.removeValue(forKey: id) }
        if known != nil { report(.containerEnded(id)) }
    }
}
