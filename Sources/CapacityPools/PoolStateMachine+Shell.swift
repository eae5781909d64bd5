public import EngineCore

// What the shell asks of the machine for its own work.
extension PoolStateMachine {
    /// The sub-pool an instance was made for; `nil`: none, or the instance is not known.
    public func subPool(of instance: InstanceID) -> SubPoolID? { instances[instance].flatMap { pools[$0.pool].id } }

    /// Where a container is, as its call's record tells it; `nil` when it is not known. O(1).
    public func grant(_ id: ContainerID) -> ContainerGrant? { slots[id].map { grant($0, nil) } }

    /// Counts a call that was refused without having been asked for here, for its placement knew that nothing was free. O(1).
    public mutating func countRefusal(_ permission: CapacityPermission) {
        pools[nearest(permission)].refusals[CapacityRefusal.noCapacity.ordinal] += 1
    }

    /// The floor and ceiling of a sub-pool; `nil` when it is not there.
    public func bounds(of id: SubPoolID) -> (floor: Int, ceiling: Int)? {
        guard let pool = poolIndex[id], !pools[pool].isRemoved else { return nil }
        return (pools[pool].floor, pools[pool].ceiling)
    }

    /// Whether there are containers that are dedicated to this class, or being started for it. O(1).
    public func hasDedicated(_ kind: ContainerClass) -> Bool {
        classIndex[kind].flatMap { dedicatedPool(of: $0) }.map { pools[$0].live > 0 } ?? false
    }

    /// The containers dedicated to a version.
    public struct Dedicated: Equatable, Sendable {
        public var target: Int
        /// Initialised, and of these, waiting for a call.
        public var allocated = 0
        public var ready = 0
        /// The account's permission keeps it below its target.
        public var isHeldByPermission = false
    }

    /// The containers dedicated to a version; `nil` when none are to be. O(its idle and starting containers).
    public func dedicated(_ key: FunctionKey, _ version: FunctionVersion) -> Dedicated? {
        guard let function = functionIndices[AffinityScope(function: key, version: version)], functions[function].dedicated >= 0 else {
            return nil
        }
        let pool = functions[function].dedicated
        let kind = pools[pool].kind
        func count(_ list: ClassList) -> Int {
            classLinks.slots(of: classes[kind].lists[list.rawValue]).count { containers[$0].isDedicated && containers[$0].pool == pool }
        }
        return Dedicated(
            target: pools[pool].target, allocated: pools[pool].live - count(.ahead), ready: count(.dedicated) + count(.mapped),
            isHeldByPermission: pools[pool].live < pools[pool].target && !mayDedicate(pool))
    }

    /// Ends what is dedicated to a version, whatever its revision.
    public mutating func endDedication(_ key: FunctionKey, _ version: FunctionVersion, now: EngineInstant) -> [PoolAction] {
        guard let pool = poolIndex[.dedicated(key, version)], pools[pool].kind >= 0, !pools[pool].isRemoved else { return [] }
        return dedicate(classes[pools[pool].kind].kind, count: 0, now: now)
    }

    /// Whether the container that a call wants is here and will serve calls of this class, be it busy or idle. O(1).
    public func hasContainer(_ demand: AffinityDemand, _ kind: ContainerClass) -> Bool {
        guard let index = classIndex[kind] else { return false }
        if let number = demand.container, serving(ContainerID(number: number), index) != nil { return true }
        guard let value = demand.value,
            case .mapped(let id) = affinity.find(AffinityKey(functions[classes[index].function].scope, value))
        else { return false }
        return serving(id, index) != nil
    }

    /// An idle container and what the next process has to know of it.
    public struct Parkable: Sendable {
        public var container: ContainerID
        public var subPool: SubPoolID?
        public var idleSince: EngineInstant
        public var bornAt: EngineInstant
        public var state: ByteCount
    }

    /// What could go on in another process: idle, and of an instance that still serves. O(containers).
    public func parkable() -> [Parkable] {
        containers.compactMap { container in
            guard container.state == .idle, !container.isLeaving, let instance = instances[container.instance] else { return nil }
            return Parkable(
                container: container.id, subPool: pools[container.pool].id, idleSince: container.idleSince, bornAt: instance.bornAt,
                state: ByteCount(Int(container.gathered * 1_048_576)))
        }
    }

    /// The containers of an instance. O(them).
    public func containers(of instance: InstanceID) -> [ContainerID] { instances[instance]?.containers.map { containers[$0].id } ?? [] }

    /// Starts nothing ahead of calls until the containers of a process before this one have been adopted, which then count.
    public mutating func holdBack() { isHeldBack = true }

    /// Answers those who wait for a price or a period, which may be longer than a node that is about to end has.
    public mutating func refuseLongWaits() -> [PoolAction] {
        var actions: [PoolAction] = []
        for waiter in waiters.all {
            switch waiter.reason {
            case .variablePrice, .cheaperPeriod: resume(waiter.id, .refused(.variableCapacity), &actions)
            case .shortage, .dedicated, .permissionLimit, .affinity: break
            }
        }
        return actions
    }

    /// Nothing more will be adopted: the sub-pools are brought to their targets.
    public mutating func goAhead(now: EngineInstant) -> [PoolAction] {
        isHeldBack = false
        return tick(now: now)
    }

    /// Numbers up to this one are taken by containers of a process before this one.
    public mutating func reserveNumbers(to number: UInt64) { skipNumbers(to: number) }

    /// The general sub-pools whose spare instances calls have wanted since this was asked last, one entry for each call, whether there was
    /// one ready or not.
    public mutating func takeDemand() -> [SubPoolID] {
        defer { demand.removeAll(keepingCapacity: true) }
        return demand.compactMap { pools[$0].id }
    }
}
