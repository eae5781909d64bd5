// The capacity of one node, as a value: lock, one transition, unlock, then run the actions it returned.
//
// An instance:
//
//     booting ──instanceReady──► ready ──lease──► assigned ──last container ended──► ending ──instanceEnded──► (forgotten)
//        └─────────────────────────┴─────────────────┴── instanceEnded, from anywhere, with its containers ────┘
//
//     booting and ready form the warming pool: no account, one spare container without user code.
//     assigned instances form the active pool. An instance is in exactly one pool, and has at most one account for ever (POOL-19).
//
// A container:
//
//     spare ──lease──► starting ──containerStarted──► busy ──release(keep)──► idle ──lease──► busy
//                         │                            │                       └──evict, expire──► ending
//                         └── release(discard) ────────┴── release(discard) ──► ending ──containerEnded──► (forgotten)
//
//     A class that does not use spares (its sandbox is settled before its code is known) goes from nothing to starting only.
//
// Memory. Every container holds its function's memory from the moment its start is planned until it has ended; a spare one holds
// `spareMemory`. Nothing else is counted, so the sum over containers is the ledger (checked by `brokenInvariant`).
//
// Shortage is judged on memory and slots, never on a count of calls (POOL-06). It is met by ending idle containers, the longest
// idle first, then spare ones; the caller waits until enough of them have ended. Waiting callers are served in order, but one that
// cannot be placed blocks only those of its size, and a container that is given back goes to who waits for its class.
//
// A container has a home, which is one thread's: where the answers of its runtime arrive. A caller who is at home there needs no other
// thread, so among the newest few idle containers, and spare ones, one at the caller's is preferred.

internal import DequeModule
internal import EngineCore

public struct PoolStateMachine: Sendable {
    enum InstanceState: Sendable { case booting, ready, assigned(AccountID), ending }

    struct Instance: Sendable {
        let runtime: String
        var state: InstanceState
        var containers: Set<ContainerID>
        /// The launcher has made it; only then may it be given more containers.
        var exists: Bool
    }

    enum ContainerState: Sendable, Equatable { case spare, starting, idle(since: EngineInstant, entry: UInt64), busy, ending }

    struct Container: Sendable {
        let instance: InstanceID
        var state: ContainerState
        var kind: ContainerClass?
        var memory: ByteCount
        /// Where its events are handled; callers who are there too are served best.
        var home: ObjectIdentifier?
    }

    /// An idle period, in the order in which it began. Stale once the container has moved on.
    struct IdleEntry: Sendable {
        let container: ContainerID
        let entry: UInt64
        let home: ObjectIdentifier?
    }

    /// Retired revisions remembered. Beyond, the oldest is forgotten; its last containers then end by age.
    public static let retiredMax = 1024

    public let configuration: PoolConfiguration
    var instances: [InstanceID: Instance] = [:]
    var containers: [ContainerID: Container] = [:]
    var idle: [ContainerClass: Deque<IdleEntry>] = [:]
    var idleOrder: Deque<IdleEntry> = []
    var idleCount = 0
    var idleMemory = ByteCount.zero
    var waiters = WaiterQueues()
    var assigned: [AccountID: Set<InstanceID>] = [:]
    var ready: [String: [InstanceID]] = [:]
    var booting: [String: Int] = [:]
    /// Since when a runtime's warming pool is below its target, or was last looked at.
    var lacking: [String: EngineInstant] = [:]
    /// When a start was last planned, or under way.
    var lastStart: EngineInstant?
    var bootFailures: [String: (count: Int, retryAt: EngineInstant)] = [:]
    var memoryHeld = ByteCount.zero
    var memoryEnding = ByteCount.zero
    var endingCount = 0
    var startingCount = 0
    var busyCount = 0
    var isDraining = false
    /// Revisions whose containers serve no further call, and the order in which they were retired.
    var retired: Set<String> = []
    var retiredOrder: Deque<String> = []
    /// Those that have a warming pool, in order.
    let runtimes: [String]
    private var lastNumber: UInt64 = 0

    public init(configuration: PoolConfiguration) {
        self.configuration = configuration
        runtimes = configuration.warmingTargets.keys.sorted()
    }

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}
