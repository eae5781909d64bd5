public import EngineCore

/// A tenant boundary known to the launcher by this number. Never used twice in the life of a launcher.
public struct InstanceID: Hashable, Sendable {
    public let number: UInt64
}

/// A container known to the launcher by this number. Never used twice in the life of a launcher.
public struct ContainerID: Hashable, Sendable {
    public let number: UInt64

    public init(number: UInt64) { self.number = number }
}

/// A caller that waits for capacity.
public struct WaiterID: Hashable, Sendable {
    public let number: UInt64
}

/// What a container must have been started for to serve a call: one revision of one account's function.
public struct ContainerClass: Hashable, Sendable {
    public let function: FunctionKey
    public let version: FunctionVersion
    /// The revision of the pinned version; unique, so it stands for function, version, code and settings.
    public let revision: String
    public let runtime: String
    public let memory: ByteCount
    /// Whether a container that was prepared before its function was known may be taken for it.
    public let usesSpares: Bool

    public var account: AccountID { function.account }

    public init(
        function: FunctionKey, version: FunctionVersion, revision: String, runtime: String, memory: ByteCount, usesSpares: Bool = true
    ) {
        self.function = function
        self.version = version
        self.revision = revision
        self.runtime = runtime
        self.memory = memory
        self.usesSpares = usesSpares
    }

    /// The revision is unique, so nothing else needs to be hashed on the way of every call.
    public func hash(into hasher: inout Hasher) { hasher.combine(revision) }
}

/// What a call would find: the input of its placement.
public struct PoolAvailability: Hashable, Sendable {
    /// A container of its class is idle.
    public let hasWarm: Bool
    /// Memory that a new container can be given, after idle ones have given way, in the part of the node that has most of it.
    public let freeMemory: ByteCount
    /// New containers that can be started, after idle ones have given way.
    public let freeSlots: Int
    /// Whether the account may be given one more container.
    public let isPermitted: Bool
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
