public import EngineCore
public import Logging
public import Sandboxing
internal import Synchronization

/// The capacity of this node: the state machine in a lock, and the hands that do what it says.
///
/// Every operation locks, makes one transition, unlocks, and then performs the returned actions. In a task, a lease is had inside
/// ``withLease(for:isAnnounced:isWarmOnly:_:)``, so it comes back on every path: answer, function error, time-out, abort, crash. Who
/// has no task takes and gives back by itself.
public final class ContainerPool: Sendable {
    /// How often ``run()`` looks for idle containers whose time is over, spares to be made and waiting callers whose deadline has passed.
    public static let tick = Duration.milliseconds(50)
    /// How often, in ticks, the books are checked.
    static let ticksPerCheck = 200

    /// What the pool needs of the rest of the node.
    public struct Surroundings: Sendable {
        /// The path of the version's bundle relative to the content folder, if it is here. Quick.
        public var bundleHere: @Sendable (PinnedVersion) -> String?
        /// Makes sure that the version's bundle is here and answers its path.
        public var bundle: @Sendable (PinnedVersion) async throws(InvocationError) -> String
        /// What an account may take. O(1), not blocking.
        public var permission: @Sendable (AccountID) -> CapacityPermission
        /// How many calls of a function may run at once; `nil`: no limit of its own. O(1), not blocking.
        public var concurrencyMax: @Sendable (FunctionKey) -> Int?

        public init(
            bundleHere: @escaping @Sendable (PinnedVersion) -> String?,
            bundle: @escaping @Sendable (PinnedVersion) async throws(InvocationError) -> String,
            permission: @escaping @Sendable (AccountID) -> CapacityPermission = { _ in .standard },
            concurrencyMax: @escaping @Sendable (FunctionKey) -> Int? = { _ in nil }
        ) {
            self.bundleHere = bundleHere
            self.bundle = bundle
            self.permission = permission
            self.concurrencyMax = concurrencyMax
        }
    }

    /// A caller that waits.
    struct Waiting {
        let deadline: EngineInstant
        /// Told once what it gets; `nil`: nothing, for its time is over or it has gone.
        let resume: @Sendable (LeaseAnswer?) -> Void
    }

    struct Held {
        let container: SandboxContainer
        /// `nil` while spare.
        var version: PinnedVersion?
    }

    struct State {
        var machine: PoolStateMachine
        var waiting: [WaiterID: Waiting] = [:]
        var held: [ContainerID: Held] = [:]
        /// The versions that the machine may ask to be started ahead of calls, by revision.
        var versions: [String: PinnedVersion] = [:]
        /// Dedicated functions whose last start ahead failed, with what went wrong.
        var dedicatedFailures: [AffinityScope: String] = [:]
        var sizer: WarmingSizer
        /// Containers that ended while those of an earlier process are taken over, and before they were known here; `nil` at other times.
        var endedEarly: Set<ContainerID>?
        var brokenInvariants = 0
        var brokenInvariant: String?
    }

    /// What `run()` is to do on behalf of the machine.
    enum Work: Sendable {
        case boot(InstanceID, spare: ContainerID, runtime: String)
        case preload(StartPlan, ContainerClass)
    }

    /// Runtimes that the configuration keeps instances ready of and this node does not have.
    public let unservedWarmingTargets: [String]

    let state: Mutex<State>
    let host: SandboxHost
    let surroundings: Surroundings
    let drivers: [any VariableCapacityDriver]
    let logger: Logger
    let work: (stream: AsyncStream<Work>, continuation: AsyncStream<Work>.Continuation)

    /// - Parameters:
    ///   - warming: the general sub-pools; those of runtimes this node does not have are left out.
    ///   - drivers: where offers of variable capacity come from.
    public init(
        configuration: PoolConfiguration, warming: [WarmingSubPool] = [], retention: (any RetentionPolicy)? = nil,
        sizing: WarmingSizerConfiguration = WarmingSizerConfiguration(), history: SizingHistory = SizingHistory(),
        drivers: [any VariableCapacityDriver] = [], host: SandboxHost, surroundings: Surroundings, logger: Logger
    ) {
        let names = Set(host.manifests.map(\.name))
        var machine = PoolStateMachine(configuration: configuration, retention: retention)
        var sizer = WarmingSizer(configuration: sizing, history: history)
        for pool in warming where names.contains(pool.runtime) {
            let id = SubPoolID.general(runtime: pool.runtime, sizeClass: pool.sizeClass)
            do throws(PoolError) {
                _ = try machine.configure(id, SubPoolSettings(floor: pool.floor, ceiling: pool.ceiling), now: .now())
                sizer.configure(id, floor: pool.floor, ceiling: pool.ceiling)
            } catch {
                logger.error("a general sub-pool is left out", metadata: ["subPool": "\(id)", "error": "\(error)"])
            }
        }
        unservedWarmingTargets = Set(warming.map(\.runtime)).subtracting(names).sorted()
        state = Mutex(State(machine: machine, sizer: sizer))
        self.host = host
        self.surroundings = surroundings
        self.drivers = drivers
        self.logger = logger
        work = AsyncStream.makeStream(of: Work.self)
    }

    /// What a call of this version would find now: the input of its placement. O(runtimes).
    /// - Returns: `nil` when no runtime here can run it.
    public func availability(for version: PinnedVersion) -> PoolAvailability? {
        guard let kind = kind(of: version) else { return nil }
        let permission = surroundings.permission(kind.account)
        return state.withLock { $0.machine.availability(kind, permission: permission) }
    }

    /// Whether a container of this version is idle. O(1).
    public func hasWarm(_ version: PinnedVersion) -> Bool {
        guard let kind = kind(of: version) else { return false }
        return state.withLock { $0.machine.hasWarm(kind) }
    }

    /// Whether the call, or its account, has terms of its own for capacity: it may wait for a price, a period or dedicated containers.
    /// O(1).
    public func hasTerms(for request: InvocationRequest) -> Bool {
        request.deferral != nil || surroundings.permission(request.function.key.account).bid != nil || keepsToDedicated(request.function)
    }

    /// Whether calls of the version wait for one of its dedicated containers, or are refused, while all are busy. O(1).
    public func keepsToDedicated(_ version: PinnedVersion) -> Bool {
        guard let kind = kind(of: version) else { return false }
        let shortage = surroundings.permission(kind.account).shortage
        return shortage != .spill && state.withLock { $0.machine.hasDedicated(kind) }
    }

    /// What the calls of a version's function have cost here; `nil`: none has run lately. O(1).
    public func profile(of version: PinnedVersion) -> FunctionProfile? { host.profile(of: version.key) }

    /// Counts a call for which there was no room, without its having been asked for.
    public func countRefusal(of version: PinnedVersion) {
        let permission = surroundings.permission(version.key.account)
        state.withLock { $0.machine.countRefusal(permission) }
    }

    /// Whether the container that the call wants is here, busy or idle. O(1).
    public func hasContainer(_ demand: AffinityDemand, of version: PinnedVersion) -> Bool {
        guard let kind = kind(of: version) else { return false }
        return state.withLock { $0.machine.hasContainer(demand, kind) }
    }

    /// Changes when container numbers begin anew: with another launcher.
    public var generation: UInt64 { host.launcherGeneration }

    public var counts: PoolCounts { state.withLock { $0.machine.counts } }

    /// What is wrong with the books; `nil` if nothing. O(everything held), of which only a copy waits for the lock: what calls change
    /// while it is read, they have to copy first, once.
    public func brokenInvariant() -> String? { state.withLock { $0.machine }.brokenInvariant() }

    /// How often a check of the books has found something wrong, and what it was last.
    public var brokenInvariants: (count: Int, last: String?) { state.withLock { ($0.brokenInvariants, $0.brokenInvariant) } }

    /// The bundles that containers were started from. O(containers), of which only a copy waits for the lock.
    public var digestsInUse: Set<ContentDigest> { Set(state.withLock { $0.held }.values.compactMap { $0.version?.codeDigest }) }

    /// A drain has begun: who waits for a price or a period is answered, and nothing more is started ahead of calls.
    public func beginDraining() {
        perform(
            state.withLock { state in
                state.machine.holdBack()
                return state.machine.refuseLongWaits()
            })
    }

    /// Ends what runs, for the time to drain is over; its calls are answered as the engine's doing.
    public func endAll() {
        perform(state.withLock { $0.machine.endAll(now: .now()) })
    }

    /// Ends the containers of a version that its owner has replaced or deleted.
    public func retire(_ version: PinnedVersion) {
        perform(
            state.withLock { state in
                state.versions[version.revision] = nil
                return state.machine.retire(revision: version.revision, now: .now())
            })
    }

    /// Lets containers of a retired version serve further calls, until it is retired again.
    public func reinstate(_ version: PinnedVersion) {
        state.withLock { $0.machine.reinstate(revision: version.revision) }
    }

    func kind(of version: PinnedVersion) -> ContainerClass? {
        guard let manifest = host.manifest(for: version.runtime) else { return nil }
        return ContainerClass(
            function: version.key, version: version.version, revision: version.revision, runtime: manifest.name, memory: version.memory,
            usesSpares: version.sandbox.fitsPreparedContainers)
    }
}

/// A general sub-pool of the warming pool, as configured.
public struct WarmingSubPool: Hashable, Sendable {
    public var runtime: String
    /// Mebibytes of the largest function it serves.
    public var sizeClass: Int
    public var floor: Int
    public var ceiling: Int

    public init(runtime: String, sizeClass: Int = PoolConfiguration.sizeClassDefault, floor: Int, ceiling: Int) {
        self.runtime = runtime
        self.sizeClass = sizeClass
        self.floor = floor
        self.ceiling = ceiling
    }
}
