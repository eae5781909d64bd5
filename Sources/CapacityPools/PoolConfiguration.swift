public import EngineCore

/// The limits of a node's capacity. Each has a documented answer when it is reached.
public struct PoolConfiguration: Hashable, Sendable {
    /// What all instances and containers may hold together. Reached: idle containers give way, then callers wait.
    public var memory: ByteCount
    /// Containers at once, spare ones included. Reached: as for `memory`.
    public var containersMax: Int
    /// Containers in one instance. Reached: the account gets one more instance.
    public var containersPerInstanceMax: Int
    /// Starts under way at once, so that a storm of cold calls leaves the processors to the warm ones. Reached: callers wait.
    public var startsMax: Int
    /// Callers waiting for capacity. Reached: `noCapacity`.
    public var waitersMax: Int
    /// How long an idle container is kept.
    public var keepAlive: Duration
    /// What an instance of the warming pool is reckoned to hold.
    public var spareMemory: ByteCount
    /// Instances to keep ready, by runtime.
    public var warmingTargets: [String: Int]
    /// How long a runtime whose instance failed to boot is left alone; doubled with each further failure, up to 64 times.
    public var bootRetryDelay: Duration
    /// How long no call must have started before the warming pool is filled up again, so that a spare does not take the processor
    /// from the call that took the last one. Steady calls put that off for ``PoolStateMachine/lackMax`` at most.
    public var replenishDelay: Duration

    public init(
        memory: ByteCount, containersMax: Int = 1000, containersPerInstanceMax: Int = 16, startsMax: Int = 4, waitersMax: Int = 1000,
        keepAlive: Duration = .seconds(600), spareMemory: ByteCount = .mebibytes(16), warmingTargets: [String: Int] = [:],
        bootRetryDelay: Duration = .seconds(1), replenishDelay: Duration = .milliseconds(20)
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
    }
}
