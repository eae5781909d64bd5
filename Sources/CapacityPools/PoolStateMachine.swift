// The capacity of one node, as a value: lock, one transition, unlock, then run the actions it returned.
//
// An instance:
//
//     booting ──instanceReady──► ready ──lease──► assigned ──last container ended──► ending ──instanceEnded──► (forgotten)
//        └─────────────────────────┴─────────────────┴── instanceEnded, from anywhere, with its containers ────┘
//     (nothing) ──lease, dedicate, startAhead, adopt──► assigned
//
//     booting and ready form the warming pool: no account, one spare container without user code, in a general sub-pool.
//     assigned instances form the active pool. An instance is in exactly one pool, has at most one account for ever (POOL-19), and
//     stays in the sub-pool it was made for: that is who is charged for it.
//     An assigned instance that has reached its greatest age, or is unhealthy, is leaving: it serves no new call (POOL-22).
//
// A container:
//
//     spare ──lease──► starting ──containerStarted──► busy ──release(keep)──► idle ──lease──► busy
//                         │  └──────preloaded──────────────────────────────────►┘ └─expire, evict, kill, retire─► ending
//                         └── release(discard) ────────┴── release(discard), reclaim ──► ending ──containerEnded──► (forgotten)
//     (nothing) ──lease, dedicate, startAhead──► starting        (nothing) ──adopt──► idle
//
//     A class that does not use spares (its sandbox is settled before its code is known) goes from nothing to starting only.
//     A container that is started ahead of calls is starting without a call; a call that comes meanwhile waits for it.
//
// A waiting caller:
//
//     lease ──► waiting for: shortage, dedicated, permissionLimit, variablePrice, cheaperPeriod, affinity ──► resumed, refused, cancelled
//        what it waits for may change: who was held up by the price may find memory short when the price has fallen
//
// Memory. Every container holds its function's memory from the moment its start is planned until it has ended; a spare one holds
// `spareMemory`. It is charged to one area: what all share (general and dedicated sub-pools, accounts' own instances), or one fixed or
// variable sub-pool. Nothing else is counted, so the sums over containers are the books (checked by `brokenInvariant`).
//
// Shortage is judged on memory and slots, never on a count of calls (POOL-06). It is met by ending idle containers, the least worthy
// first, then spare ones; the caller waits until enough of them have ended. Waiting callers are served in order, but one that
// cannot be placed blocks only those of its size, and a container that is given back goes to who waits for its class.
//
// Everything a call may need is found by number: classes, functions, accounts and sub-pools are interned, containers lie in slots of
// an array and are linked in the lists they belong to. So a call costs the same whatever is idle beside it.
//
// A container has a home, which is one thread's: where the answers of its runtime arrive. A caller who is at home there needs no other
// thread, so among the newest few idle containers, and spare ones, one at the caller's is preferred.

internal import DequeModule
internal import EngineCore
internal import Placement

public struct PoolStateMachine: Sendable {
    /// Retired revisions remembered. Beyond, the oldest is forgotten; its last containers then end by age.
    public static let retiredMax = 1024
    /// The area that all share, and the sub-pool of instances that come from none.
    static let common = 0

    public let configuration: PoolConfiguration
    var retention: any RetentionPolicy

    // Containers, by slot.
    var containers: [Container] = []
    var freeSlots: [Int] = []
    var slots: [ContainerID: Int] = [:]
    var classLinks = SlotLinks()
    var areaLinks = SlotLinks()
    var accountLinks = SlotLinks()

    var instances: [InstanceID: Instance] = [:]
    /// The instances of an account that have room for one more container, the newest last.
    var roomy: [RoomKey: [InstanceID]] = [:]

    // What is known by number.
    var classes: [ClassEntry] = []
    var freeClasses: [Int] = []
    var classIndex: [ContainerClass: Int] = [:]
    var functions: [FunctionEntry] = []
    var freeFunctions: [Int] = []
    var functionIndices: [AffinityScope: Int] = [:]
    /// Functions that have nothing here, the longest unused first.
    var vacant = SlotLinks.List()
    var vacantLinks = SlotLinks()
    var names: [NameEntry] = []
    var freeNames: [Int] = []
    var nameIndex: [FunctionKey: Int] = [:]
    var accounts: [AccountEntry] = []
    var freeAccounts: [Int] = []
    var accountIndex: [AccountID: Int] = [:]
    var runtimes: [String] = []
    var runtimeIndex: [String: Int] = [:]
    /// By runtime.
    var startTimes: [StartTimes] = []
    /// How often functions are seen, also those without an entry.
    var sightings: FrequencySketch

    var areas: [Area] = []
    var freeAreas: [Int] = []
    var pools: [SubPool] = []
    var freePools: [Int] = []
    var poolIndex: [SubPoolID: Int] = [:]
    /// General sub-pools of a runtime, the smallest size class first.
    var generalPools: [[Int]] = []
    /// Fixed and variable sub-pools: those with memory of their own.
    var ownedPools: [Int] = []
    /// Dedicated sub-pools below their target, in the order in which they are looked at.
    var shortPools: Deque<Int> = []
    var ledger: CapacityLedger

    var waiters = WaiterQueues()
    /// Waiting callers whose container has ended, and those whose wait is to be looked at again.
    var strayed: [WaiterID] = []
    /// Accounts that hold less than before, with callers waiting for that.
    var relieved: Set<Int> = []
    var variableHasChanged = false
    var affinity: AffinityTable
    var agenda = Agenda()
    /// Entries of the agenda that are kept whether there is still something to do or not.
    static let agendaMin = 1024
    /// Classes to start a container of once there is room.
    var pendingAhead: Deque<(kind: ContainerClass, permission: CapacityPermission)> = []

    /// General sub-pools of which calls have wanted a spare instance, not told to the shell yet; at most ``demandMax``.
    var demand: [Int] = []
    static let demandMax = 4096
    var tally = MachineCounts()
    /// When a start was last planned, or under way.
    var lastStart: EngineInstant?
    var isDraining = false
    /// Nothing is started ahead of calls: what the process before has left may be about to be adopted, and its numbers are not known.
    var isHeldBack = false
    /// Revisions whose containers serve no further call, and the order in which they were retired.
    var retired: Set<String> = []
    var retiredOrder: Deque<String> = []
    private var lastNumber: UInt64 = 0

    /// - Parameter retention: who gives way; `nil`: the longest idle.
    public init(configuration: PoolConfiguration, retention: (any RetentionPolicy)? = nil) {
        self.configuration = configuration
        self.retention = retention ?? LeastRecentRetention(rule: KeepAliveRule(base: configuration.keepAlive.inSeconds))
        ledger = CapacityLedger(rowsMax: configuration.ledgerRowsMax)
        affinity = AffinityTable(limits: configuration.affinityLimits)
        sightings = FrequencySketch(keys: configuration.rareCalls > 0 ? configuration.functionsCounted : 0)
        areas.append(Area(limit: configuration.memory.bytes))
        pools.append(SubPool(id: nil, area: Self.common))
        for (runtime, target) in configuration.warmingTargets.sorted(by: { $0.key < $1.key }) {
            let pool = generalPool(runtime: runtime, sizeClass: PoolConfiguration.sizeClassDefault)
            (pools[pool].floor, pools[pool].ceiling, pools[pool].target) = (target, target, target)
        }
    }

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// Numbers of a process before this one are taken.
    mutating func skipNumbers(to number: UInt64) { lastNumber = max(lastNumber, number) }

    static func seconds(_ instant: EngineInstant) -> Double { Double(instant.nanoseconds) / 1e9 }
    static func mebibytes(_ bytes: Int) -> Double { Double(bytes) / 1_048_576 }
}
