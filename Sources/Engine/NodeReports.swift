internal import CapacityPools
internal import EngineCore

/// What `wayside pool list` shows.
struct PoolReport: Encodable, Sendable {
    let memoryBytes: Int
    let memoryHeldBytes: Int
    let instances: Int
    let instancesBooting: Int
    let instancesReady: Int
    let containers: Int
    let containersStarting: Int
    let containersIdle: Int
    let containersBusy: Int
    let waiting: Int

    init(_ counts: PoolCounts, memory: ByteCount) {
        memoryBytes = memory.bytes
        memoryHeldBytes = counts.memoryHeld.bytes
        instances = counts.instances
        instancesBooting = counts.instancesBooting
        instancesReady = counts.instancesReady
        containers = counts.containers
        containersStarting = counts.starting
        containersIdle = counts.idle
        containersBusy = counts.busy
        waiting = counts.waiting
    }
}

/// What the operator API says of the node as a whole.
struct NodeStatus: Encodable, Sendable {
    let node: String
    let role: String
    let draining: Bool
    /// Invocations that are not answered yet.
    let underWay: Int
    /// What is wrong with the pool's books; absent when nothing is.
    let brokenInvariant: String?
}
