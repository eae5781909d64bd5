public import EngineCore

/// A tenant boundary known to the launcher by this number. Never used twice in the life of a process.
public struct InstanceID: Hashable, Sendable {
    public let number: UInt64
}

/// A container known to the launcher by this number. Never used twice in the life of a process.
public struct ContainerID: Hashable, Sendable {
    public let number: UInt64
}

/// A caller that waits for capacity.
public struct WaiterID: Hashable, Sendable {
    public let number: UInt64
}

/// What a container must have been started for to serve a call: one revision of one account's function.
public struct ContainerClass: Hashable, Sendable {
    public let account: AccountID
    /// The revision of the pinned version; unique, so it stands for function, version, code and settings.
    public let revision: String
    public let runtime: String
    public let memory: ByteCount
    /// Whether a container that was prepared before its function was known may be taken for it.
    public let usesSpares: Bool

    public init(account: AccountID, revision: String, runtime: String, memory: ByteCount, usesSpares: Bool = true) {
        self.account = account
        self.revision = revision
        self.runtime = runtime
        self.memory = memory
        self.usesSpares = usesSpares
    }
}

/// How a container is to be started for a caller that holds its lease already.
public struct StartPlan: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Into this instance of the account.
        case container
        /// The spare container of an instance from the warming pool, which becomes the account's.
        case instance
        /// Into a new instance.
        case newInstance
    }

    public let kind: Kind
    public let instance: InstanceID
    public let container: ContainerID
}

/// The answer to a caller that wants a container.
public enum LeaseAnswer: Hashable, Sendable {
    case warm(ContainerID)
    /// The caller starts it and says `containerStarted` or `containerEnded`.
    case start(StartPlan)
    /// `resume` follows, unless the caller says `cancel`.
    case wait(WaiterID)
    /// Neither room nor a place to wait.
    case noCapacity
}

/// What the shell has to do after a transition, outside the lock.
public enum PoolAction: Hashable, Sendable {
    /// Make an instance with a booted spare container for the warming pool; then `instanceReady` or `instanceEnded`.
    case bootInstance(InstanceID, spare: ContainerID, runtime: String)
    /// End it with all its containers; then `instanceEnded`.
    case killInstance(InstanceID)
    /// End it; then `containerEnded`.
    case killContainer(ContainerID)
    /// Hand a waiting caller its answer, which is `warm` or `start`.
    case resume(WaiterID, LeaseAnswer)
}

/// What a call would find: the input of its placement.
public struct PoolAvailability: Hashable, Sendable {
    /// A container of its class is idle.
    public let hasWarm: Bool
    /// Memory that a new container can be given, after idle ones have given way.
    public let freeMemory: ByteCount
    /// New containers that can be started, after idle ones have given way.
    public let freeSlots: Int
}

/// The counts of a moment. `busy`, `starting` and `waiting` are zero when nothing is under way (WHOLE-03).
public struct PoolCounts: Hashable, Sendable {
    public var memoryHeld = ByteCount.zero
    public var instances = 0
    public var instancesBooting = 0
    public var instancesReady = 0
    public var containers = 0
    public var starting = 0
    public var idle = 0
    public var busy = 0
    public var waiting = 0

    public init() {}
}
