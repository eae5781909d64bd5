internal import EngineCore

// What the machine knows of each thing. Numbers that stand for another record are places in its arrays; -1 is none.
extension PoolStateMachine {
    enum InstanceState: String, Sendable { case booting, ready, assigned, ending }

    struct Instance: Sendable {
        let runtime: Int
        var pool: Int
        var state: InstanceState
        var account = -1
        /// Of the ledger.
        var row: Int
        /// Slots.
        var containers: [Int]
        /// The launcher has made it; only then may it be given more containers.
        var exists: Bool
        /// It serves no new call.
        var isLeaving = false
        /// Where it stands among those with room.
        var place = -1
        let bornAt: EngineInstant
    }

    enum ContainerState: String, Sendable { case vacant, spare, starting, idle, busy, ending }

    /// Which list of its class a container is in.
    enum ClassList: Int, Sendable { case ordinary, dedicated, mapped, ahead }

    struct Container: Sendable {
        var id: ContainerID
        var instance: InstanceID
        var state = ContainerState.vacant
        var kind = -1
        var account = -1
        var pool: Int
        var area: Int
        var row: Int
        var memory: Int
        /// Where its events are handled; callers who are there too are served best.
        var home: ObjectIdentifier?
        /// Started without a call, and not yet idle.
        var isAhead = false
        /// Counts towards the target of its dedicated sub-pool.
        var isDedicated = false
        var isPinned = false
        /// It ends when its call is over.
        var isLeaving = false
        /// Why it is leaving.
        var leavingCause = ColdCause.ended
        /// When it was told that its memory is taken back.
        var noticedAt: EngineInstant?
        /// A routing value is mapped to it.
        var isMapped = false
        var list: ClassList?
        /// It is in the lists of those that may be ended for room: its area's and its account's.
        var isYielding = false
        /// What the retention policy was last told of it.
        var told: RetentionState?
        /// Mebibytes that its calls have left in it.
        var gathered = 0.0
        var bid: Double?
        var idleSince = EngineInstant(nanoseconds: 0)
        var expiresAt: EngineInstant?
        /// When the agenda looks at it.
        var timerAt: EngineInstant?
        var startedAt = EngineInstant(nanoseconds: 0)
        /// What it was made from; `nil`: it was there before, or is spare.
        var level: StartPlan.Kind?
        /// Seconds that loading its code took, as far as that is part of its start.
        var initialise = 0.0
    }

    struct RoomKey: Hashable, Sendable {
        let account: Int
        let runtime: Int
        /// The sub-pool, or ``PoolStateMachine/common`` for all that share its memory.
        let group: Int
    }

    struct ClassEntry: Sendable {
        let kind: ContainerClass
        let function: Int
        let name: Int
        let account: Int
        let runtime: Int
        var lists = [SlotLinks.List](repeating: SlotLinks.List(), count: 4)
        /// In whatever state, those that are ending included.
        var containers = 0
        var waiters = 0
        var isRetired = false
        var isVacant = false
    }

    /// How the last idle container of a function went.
    struct Gone: Sendable {
        let cause: ColdCause
        let at: EngineInstant
        let idleFor: Duration?
        /// The name of the function that needed the room.
        let evictedFor: String?
        let memory: Int
    }

    struct FunctionEntry: Sendable {
        let scope: AffinityScope
        let name: Int
        let account: Int
        var classes: [Int] = []
        /// The class that was asked for last.
        var current = -1
        /// Its calls that have a place, here or elsewhere.
        var calls = 0
        /// Containers in whatever state, and waiting callers.
        var containers = 0
        var waiters = 0
        /// Starting or busy, or idle: what could be warm for a call.
        var live = 0
        var dedicated = -1
        /// Seconds from nothing to the first call, measured once ``hasStarted``.
        var coldStart = 0.2
        var hasStarted = false
        /// Seconds that its code takes to load; `nil`: not measured.
        var initialise: Double?
        var roundTrip = Double.infinity
        /// What a second of its callers' time is worth, compared with others.
        var weight = 1.0
        var permission = CapacityPermission.standard
        var gone: Gone?
        var colds: [ColdStart] = []
        var isListedVacant = false
        /// Starts ahead of calls that have failed since one succeeded, and when the next may be tried.
        var aheadFailures = 0
        var aheadRetryAt: EngineInstant?

        var isVacant: Bool { containers == 0 && waiters == 0 && calls == 0 && dedicated < 0 }
    }

    struct NameEntry: Sendable {
        let key: FunctionKey
        /// Calls that have a container, and those that wait for one.
        var running = 0
        var waiting = 0
        var functions: [Int] = []
    }

    struct AccountEntry: Sendable {
        let id: AccountID
        var names = 0
        var instances = 0
        var memory = 0
        /// Memory of it that is about to come free.
        var ending = 0
        var endingCount = 0
        /// Its callers that wait.
        var waiters = 0
        /// Its idle containers that may be ended, the longest idle first.
        var yielding = SlotLinks.List()
        var isVacant = false
    }

    struct Area: Sendable {
        var limit: Int
        var held = 0
        var ending = 0
        var containers = 0
        var endingCount = 0
        /// Of a fixed one: containers that nobody else takes the slots of.
        var slotsPromised = 0
        /// Idle containers that may be ended, the longest idle first.
        var yielding = SlotLinks.List()
        var yieldingMemory = 0
        var yieldingCount = 0
    }

    struct SubPool: Sendable {
        let id: SubPoolID?
        let area: Int
        var floor = 0
        var ceiling = 0
        var target = 0
        var ready: [InstanceID] = []
        var booting = 0
        /// Assigned instances, and instances in whatever state.
        var active = 0
        var instances = 0
        var containers = 0
        var memory = 0
        var isDrained = false
        var isRemoved = false
        /// Since when it is below its target, or was last looked at.
        var lackingSince: EngineInstant?
        var failures = 0
        var retryAt: EngineInstant?
        var bootFailures = 0
        var hits = [Int](repeating: 0, count: CapacityBranch.allCases.count)
        var waits = [Int](repeating: 0, count: CapacityWait.allCases.count)
        var refusals = [Int](repeating: 0, count: CapacityRefusal.allCases.count)
        /// Of a dedicated one: its class, and the containers that count towards the target.
        var kind = -1
        var live = 0
        /// Of its account, as far as it limits how many are started.
        var permission = CapacityPermission.standard
        /// It is among those that are below their target.
        var isListedShort = false
        /// Of a fixed one.
        var lent = 0
        var lentUntil: EngineInstant?
        /// Of a variable one: a GiB-hour's, and what is known of it to come.
        var price = 0.0
        var forecast: [PricePeriod] = []
    }

    struct MachineCounts: Sendable {
        var containers = 0
        var starting = 0
        var idle = 0
        var busy = 0
        var ending = 0
        var booting = 0
        var ready = 0
    }
}

extension CaseIterable where Self: Equatable {
    /// Its place among all cases, for counters. O(cases).
    var ordinal: Int {
        var place = 0
        for other in Self.allCases {
            if other == self { return place }
            place += 1
        }
        return place
    }
}
