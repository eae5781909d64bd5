public import EngineCore

// One particular container (STICK-07…20).
//
//     the token's container, else the value's ─► idle: it is taken (hit)
//                                             ─► busy or starting: wait in its line, another container (overflow), or refused
//     of another revision, gone, or unknown   ─► another container, which the value is mapped to from now on; or, where the caller
//                                                requires the one it knows, refused
//
// A container that values are mapped to serves calls of others only if nothing else of its class is idle, and never a call whose value
// is yet to be mapped. It may be ended for room like any other idle one.
extension PoolStateMachine {
    /// What is left of a wish once its container cannot be had.
    struct Wish {
        let key: AffinityKey?
        let demand: AffinityDemand
        /// The container that serves the call is the value's from now on.
        let maps: Bool
        /// `nil`: as the table says.
        var result: AffinityDemand.Result?
        var isOverflow = false
    }

    enum Sought {
        case found(Outcome)
        case elsewhere(Wish)
    }

    mutating func seek(
        _ demand: AffinityDemand, _ request: CapacityRequest, _ kind: Int, since: EngineInstant, now: EngineInstant
    ) -> Sought {
        var demand = demand
        let key = demand.value.map { AffinityKey(functions[classes[kind].function].scope, $0) }
        var target: Int?
        var unmapped: AffinityDemand.Result = .new
        if let number = demand.container {
            target = serving(ContainerID(number: number), kind)
            if target == nil {
                unmapped = .gone
                demand.tokenIsVoid = true
            }
        }
        if target == nil, demand.container != nil || demand.tokenIsVoid, demand.mode == .require { return .found(.refused(.affinity)) }
        var result: AffinityDemand.Result?
        if target == nil, let key {
            switch affinity.find(key) {
            case .mapped(let id):
                target = serving(id, kind)
                if target == nil { result = slots[id].map { isTooSmall($0, request) } == true ? .moved : .gone }
            case .gone: result = .gone
            case .unknown: break
            }
            if target == nil, result != nil, demand.mode == .require {
                // Said once: what the value had is gone, and its next call may have another.
                if let row = affinity.remove(key) { noteMapping(row.container) }
                return .found(.refused(.affinity))
            }
        }
        guard let target else {
            return .elsewhere(Wish(key: key, demand: demand, maps: key != nil, result: key == nil ? unmapped : result))
        }
        let wish = Wish(key: key, demand: demand, maps: key != nil, result: .hit)
        if containers[target].state == .idle {
            take(target, now: now)
            return .found(.got(warm(target, wish, now: now)))
        }
        let over = Wish(key: key, demand: demand, maps: false, result: .moved, isOverflow: true)
        let waited = now - since
        switch demand.busy {
        case .wait where request.mayWait && waited < demand.waitMax
            && waiters.count(at: containers[target].id) < configuration.affinityWaitersMax:
            return .found(.lacks(.affinity, at: target, until: since + demand.waitMax))
        // Busy passes: whoever is refused for it may come again.
        case .wait, .overflow: return demand.mode == .require ? .found(.refused(.rejectedByPolicy)) : .elsewhere(over)
        case .reject: return .found(.refused(.rejectedByPolicy))
        }
    }

    /// The container, if it is here, of this class, and will serve another call.
    func serving(_ id: ContainerID, _ kind: Int) -> Int? {
        guard let slot = slots[id], containers[slot].kind == kind, !containers[slot].isLeaving else { return nil }
        switch containers[slot].state {
        case .starting, .idle, .busy: return slot
        case .vacant, .spare, .ending: return nil
        }
    }

    private func isTooSmall(_ slot: Int, _ request: CapacityRequest) -> Bool { containers[slot].memory < request.kind.memory.bytes }

    /// The call has this container: maps the value to it, and says what became of the wish.
    mutating func fulfil(_ wish: Wish, with slot: Int, now: EngineInstant) -> InvocationRecord.Affinity {
        var result = wish.result
        if wish.maps, let key = wish.key {
            let before = affinity.row(key)?.container
            let mapping = affinity.map(key, to: containers[slot].id, now: now)
            result = result ?? mapping.result
            containers[slot].isMapped = true
            if let before, before != containers[slot].id { noteMapping(before) }
            if let displaced = mapping.displaced { noteMapping(displaced.container) }
        }
        return InvocationRecord.Affinity(
            source: wish.demand.source, value: wish.demand.value, result: result ?? .new, isOverflow: wish.isOverflow,
            tokenIsVoid: wish.demand.tokenIsVoid)
    }

    /// A row of the container has gone: it may be an ordinary one again.
    mutating func noteMapping(_ id: ContainerID) {
        guard let slot = slots[id], containers[slot].kind >= 0 else { return }
        containers[slot].isMapped = affinity.isMapped(id)
        guard containers[slot].state == .idle, containers[slot].list != listing(slot) else { return }
        unlist(slot)
        list(slot)
    }

    /// Which list of its class an idle container belongs in.
    func listing(_ slot: Int) -> ClassList {
        containers[slot].isMapped ? .mapped : containers[slot].isDedicated ? .dedicated : .ordinary
    }

    mutating func list(_ slot: Int) {
        let list = listing(slot)
        containers[slot].list = list
        classLinks.append(slot, to: &classes[containers[slot].kind].lists[list.rawValue])
    }

    mutating func unlist(_ slot: Int) {
        guard let list = containers[slot].list else { return }
        classLinks.remove(slot, from: &classes[containers[slot].kind].lists[list.rawValue])
        containers[slot].list = nil
    }

    // MARK: The operator, and the process after this one

    /// Forgets a value; its next caller is new. O(1).
    public mutating func removeAffinity(_ key: AffinityKey) -> AffinityRow? {
        let row = affinity.remove(key)
        if let row { noteMapping(row.container) }
        return row
    }

    /// The rows, the last used first. O(rows log rows).
    public func affinityRows(function: FunctionKey? = nil, container: ContainerID? = nil, limit: Int = .max) -> [AffinityRow] {
        affinity.list(function: function, container: container, limit: limit)
    }

    /// The rows for the next process. O(rows log rows).
    public func savedAffinity(now: EngineInstant) -> [SavedAffinityRow] { affinity.saved(now: now) }

    /// Takes over the rows of the process before, after its containers have been adopted. O(rows log rows).
    public mutating func restoreAffinity(_ saved: [SavedAffinityRow], now: EngineInstant) {
        var known: Set<ContainerID> = []
        for row in saved {
            let id = ContainerID(number: row.containerNumber)
            guard let slot = slots[id], containers[slot].kind >= 0,
                functions[classes[containers[slot].kind].function].scope == row.key.scope
            else { continue }
            known.insert(id)
        }
        affinity.restore(saved, now: now) { row in known.contains(ContainerID(number: row.containerNumber)) }
        for id in known { noteMapping(id) }
    }
}
