public import EngineCore

/// The limits of a node's capacity. Each has a documented answer when it is reached.
public struct PoolConfiguration: Hashable, Sendable {
    /// What all instances and containers may hold together. Reached: idle containers give way, then callers wait.
    public var memory: ByteCount
    /// Containers at once, spare ones included. Reached: as for `memory`.
    public var containersMax: Int
    /// Containers in one instance. Reached: the account gets one more instance.
    public var containersPerInstanceMax: Int
    /// Starts under way at once, so that a storm of cold calls leaves the processors to the warm ones. Reached: callers wait, and idle
    /// containers end for the first ``startsMax`` of them meanwhile.
    public var startsMax: Int
    /// Callers waiting for capacity, ``waitersPerAccountMax`` of them of one account. Reached: refused, as who cannot wait.
    public var waitersMax: Int
    /// How long an idle container is kept.
    public var keepAlive: Duration
    /// What an instance of the warming pool is reckoned to hold.
    public var spareMemory: ByteCount
    /// Instances to keep ready, by runtime, for functions of every size: a general sub-pool of ``sizeClassDefault`` each.
    public var warmingTargets: [String: Int]
    /// How long a runtime whose instance failed to boot is left alone; doubled with each further failure, up to 64 times.
    public var bootRetryDelay: Duration
    /// How long no call must have started before the warming pool is filled up again, so that a spare does not take the processor
    /// from the call that took the last one. Steady calls put that off for ``PoolStateMachine/lackMax`` at most.
    public var replenishDelay: Duration
    /// How old an instance gets, give or take a tenth. Older ones serve no new call.
    public var instanceLifetimeMax: Duration
    /// How long a call may go on after its container's memory was taken back. Reached: it is ended, and answered as the engine's doing.
    public var reclaimGrace: Duration
    /// A function that was seen no more often than this lately is rare: calls that could be forwarded are, and nothing more is remembered
    /// of it. 0: every function is remembered.
    public var rareCalls: Int
    /// Functions that are told apart well where they are only counted. Reached: the counts of some are too high.
    public var functionsCounted: Int
    /// Functions remembered. Reached: the one unused for longest is forgotten, and why its containers ended with it.
    public var functionsRemembered: Int
    /// Callers that wait for one particular container. Reached: the call is treated as where its rule is not to wait.
    public var affinityWaitersMax: Int
    /// Rows of the ledger. Reached: those of accounts that hold nothing are added up in one.
    public var ledgerRowsMax: Int
    /// Of the table of routing values.
    public var affinityLimits: AffinityTable.Limits

    /// Callers of one account waiting for capacity: a quarter of ``waitersMax``, and at least one, so that one account's long waits
    /// do not take the places of the others. Reached: refused, as who cannot wait.
    public var waitersPerAccountMax: Int { max(waitersMax / 4, 1) }

    /// Mebibytes of the largest function there can be, so that a spare instance of this size class suits every one.
    public static let sizeClassDefault = 10_240

    public init(
        memory: ByteCount, containersMax: Int = 1000, containersPerInstanceMax: Int = 16, startsMax: Int = 4, waitersMax: Int = 1000,
        keepAlive: Duration = .seconds(600), spareMemory: ByteCount = .mebibytes(16), warmingTargets: [String: Int] = [:],
        bootRetryDelay: Duration = .seconds(1), replenishDelay: Duration = .milliseconds(20),
        instanceLifetimeMax: Duration = .seconds(4 * 3600), reclaimGrace: Duration = .seconds(10), rareCalls: Int = 0,
        functionsCounted: Int = 1_048_576, functionsRemembered: Int = 16_384,
        affinityWaitersMax: Int = 64, ledgerRowsMax: Int = 4096, affinityLimits: AffinityTable.Limits = AffinityTable.Limits()
    ) {
        self.memory = memory
        self.containersMax = containersMax
        self.containersPerInstanceMax = containersPerInstanceMax
        self.startsMax = startsMax
        self.waitersMax = waitersMax
        self.keepAlive = keepAlive
        self.spareMemory = spareMemory
        self.warmingTargets = warmingTargets
        self.bootRetryDelay = bootRetryDelay
        self.replenishDelay = replenishDelay
        self.instanceLifetimeMax = instanceLifetimeMax
        self.reclaimGrace = reclaimGrace
        self.rareCalls = rareCalls
        self.functionsCounted = functionsCounted
        self.functionsRemembered = functionsRemembered
        self.affinityWaitersMax = affinityWaitersMax
        self.ledgerRowsMax = ledgerRowsMax
        self.affinityLimits = affinityLimits
    }
}
