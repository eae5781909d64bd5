internal import EngineCore

// Whether the books are right: everything that is counted is counted again.
extension PoolStateMachine {
    /// What is wrong with the books, in a sentence; `nil` if nothing. Linear in everything: for tests and sampling.
    public func brokenInvariant() -> String? {
        let held = containers.indices.filter { containers[$0].state != .vacant }
        return brokenContainer(held) ?? brokenInstance(held) ?? brokenArea(held) ?? brokenList(held) ?? brokenAccount(held)
            ?? brokenFunction(held) ?? brokenWaiter() ?? brokenLedger(held) ?? brokenAffinity(held) ?? affinity.brokenInvariant()
    }

    private func brokenContainer(_ held: [Int]) -> String? {
        guard slots.count == held.count, held.count == tally.containers else {
            return "\(held.count) containers are counted \(tally.containers)"
        }
        if tally.containers > configuration.containersMax { return "\(tally.containers) containers are over the limit" }
        var found = MachineCounts()
        for slot in held {
            let container = containers[slot]
            let name = "container \(container.id.number)"
            guard slots[container.id] == slot else { return "\(name) is not found by its number" }
            guard let instance = instances[container.instance] else { return "\(name) has no instance" }
            guard instance.containers.contains(slot) else { return "\(name) is unknown to its instance" }
            guard instance.account == container.account, instance.pool == container.pool, pools[container.pool].area == container.area
            else { return "\(name) is not its instance's account or sub-pool" }
            switch container.state {
            case .starting: found.starting += 1
            case .idle: found.idle += 1
            case .busy: found.busy += 1
            case .ending: found.ending += 1
            case .spare, .vacant: break
            }
            guard container.kind >= 0 else {
                if container.state != .spare, container.state != .ending { return "\(name) has no class and is \(container.state)" }
                continue
            }
            let entry = classes[container.kind]
            if entry.isVacant || entry.account != container.account { return "\(name) is of a class that is not its account's" }
            if entry.kind.memory.bytes != container.memory { return "\(name) holds \(container.memory) bytes" }
            if container.isAhead != (container.list == .ahead) { return "\(name) is started ahead, and not listed so" }
            if (container.list == nil) != (container.state != .idle && !container.isAhead) {
                return "\(name) is \(container.state), and listed otherwise"
            }
            if instance.state == .ending, container.state != .ending { return "\(name) is \(container.state) in an instance that ends" }
        }
        let counted = (tally.starting, tally.idle, tally.busy, tally.ending)
        return (found.starting, found.idle, found.busy, found.ending) == counted ? nil : "a count of containers is off"
    }

    /// An instance that is not in exactly the one pool that its state says (POOL-01), or a sub-pool's count that is off.
    private func brokenInstance(_ held: [Int]) -> String? {
        let ready = pools.map { Set($0.ready) }
        var active: [Int: Int] = [:], booting: [Int: Int] = [:], all: [Int: Int] = [:], readyCount = 0
        for (id, instance) in instances {
            all[instance.pool, default: 0] += 1
            let isReady = ready[instance.pool].contains(id)
            if isReady != (instance.state == .ready) { return "instance \(id.number) is not in the one pool it belongs to" }
            if instance.state == .assigned { active[instance.pool, default: 0] += 1 }
            if instance.state == .booting { booting[instance.pool, default: 0] += 1 }
            if isReady { readyCount += 1 }
            if (instance.account < 0) && instance.state == .assigned { return "instance \(id.number) is assigned to nobody" }
            let key = RoomKey(account: instance.account, runtime: instance.runtime, group: group(of: instance.pool))
            if instance.place >= 0, roomy[key]?[instance.place] != id { return "instance \(id.number) is not where it has room" }
        }
        let ofPool = Dictionary(grouping: held) { containers[$0].pool }
        for (index, pool) in pools.enumerated() {
            guard pool.active == active[index] ?? 0, pool.booting == booting[index] ?? 0, pool.instances == all[index] ?? 0 else {
                return "the instances of sub-pool \(index) are miscounted"
            }
            let own = ofPool[index, default: []]
            guard pool.containers == own.count, pool.memory == own.reduce(0, { $0 + containers[$1].memory }) else {
                return "the containers of sub-pool \(index) are miscounted"
            }
            guard pool.live == own.count(where: { containers[$0].isDedicated }) else {
                return "the dedicated of sub-pool \(index) are miscounted"
            }
            guard pool.live <= max(pool.target, 0) || pool.kind < 0 else { return "\(pool.live) are dedicated instead of \(pool.target)" }
            if pool.kind >= 0, pool.live < pool.target, !pool.isListedShort { return "sub-pool \(index) is short, and not listed" }
        }
        guard readyCount == pools.reduce(0, { $0 + $1.ready.count }) else { return "a sub-pool lists an instance that is gone" }
        guard readyCount == tally.ready else { return "the ready instances are miscounted" }
        guard tally.booting == pools.reduce(0, { $0 + $1.booting }) else { return "the booting instances are miscounted" }
        let placed = instances.values.count { $0.place >= 0 }
        return placed == roomy.values.reduce(0) { $0 + $1.count } ? nil : "instances with room are miscounted"
    }

    private func brokenArea(_ held: [Int]) -> String? {
        let ofArea = Dictionary(grouping: held) { containers[$0].area }
        for (index, area) in areas.enumerated() {
            let own = ofArea[index, default: []]
            let sum = own.reduce(0) { $0 + containers[$1].memory }
            if sum != area.held { return "area \(index) says \(area.held), its containers hold \(sum)" }
            let ending = own.reduce(0) { $0 + (containers[$1].state == .ending ? containers[$1].memory : 0) }
            if ending != area.ending { return "area \(index) says \(area.ending) are ending, it is \(ending)" }
            if own.count != area.containers || own.count(where: { containers[$0].state == .ending }) != area.endingCount {
                return "the containers of area \(index) are miscounted"
            }
            let yielding = own.filter { containers[$0].isYielding }
            if yielding.count != area.yieldingCount || yielding.reduce(0, { $0 + containers[$1].memory }) != area.yieldingMemory {
                return "the idle containers of area \(index) are miscounted"
            }
            if Set(areaLinks.slots(of: area.yielding)) != Set(yielding) { return "the idle containers of area \(index) are not listed" }
            for slot in yielding where containers[slot].state != .idle || containers[slot].isPinned || containers[slot].isDedicated {
                return "container \(containers[slot].id.number) could be ended, and must not be"
            }
        }
        let common = areas[Self.common]
        let fixed = pools.filter { pool in if case .fixed? = pool.id, !pool.isRemoved { true } else { false } }
        let promised = fixed.reduce(0) { $0 + areas[$1.area].limit }
        return common.limit + promised == configuration.memory.bytes ? nil : "the areas' limits do not add up to the node's memory"
    }

    private func brokenList(_ held: [Int]) -> String? {
        let ofClass = Dictionary(grouping: held) { containers[$0].kind }
        for (index, entry) in classes.enumerated() where !entry.isVacant {
            for (list, slots) in entry.lists.enumerated() {
                for slot in classLinks.slots(of: slots) {
                    guard containers[slot].kind == index, containers[slot].list?.rawValue == list else {
                        return "class \(index) lists a container that is not its own"
                    }
                    if list != ClassList.ahead.rawValue, listing(slot).rawValue != list {
                        return "container \(containers[slot].id.number) is in the wrong list of its class"
                    }
                }
            }
            let own = ofClass[index, default: []]
            if own.count != entry.containers { return "class \(index) has \(own.count) containers, and counts \(entry.containers)" }
            let listed = entry.lists.reduce(0) { $0 + classLinks.slots(of: $1).count }
            if listed != own.count(where: { containers[$0].list != nil }) { return "class \(index) lists \(listed)" }
        }
        return nil
    }

    private func brokenAccount(_ held: [Int]) -> String? {
        let ofAccount = Dictionary(grouping: held) { containers[$0].account }
        let instancesOf = Dictionary(grouping: instances.values, by: \.account)
        let waitersOf = Dictionary(grouping: waiters.all, by: \.account)
        for (index, account) in accounts.enumerated() where accountIndex[account.id] == index {
            let own = ofAccount[index, default: []]
            let sum = own.reduce(0) { $0 + containers[$1].memory }
            if sum != account.memory { return "account \(account.id) says \(account.memory), its containers hold \(sum)" }
            let ending = own.filter { containers[$0].state == .ending }
            if ending.count != account.endingCount || ending.reduce(0, { $0 + containers[$1].memory }) != account.ending {
                return "what ends of account \(account.id) is miscounted"
            }
            if instancesOf[index, default: []].count != account.instances {
                return "the instances of account \(account.id) are miscounted"
            }
            if waitersOf[index, default: []].count != account.waiters {
                return "the waiters of account \(account.id) are miscounted"
            }
            if Set(accountLinks.slots(of: account.yielding)) != Set(own.filter { containers[$0].isYielding }) {
                return "the idle containers of account \(account.id) are not listed"
            }
        }
        return nil
    }

    private func brokenFunction(_ held: [Int]) -> String? {
        let coded = held.filter { containers[$0].kind >= 0 }
        let ofFunction = Dictionary(grouping: coded) { classes[containers[$0].kind].function }
        let ofName = Dictionary(grouping: coded) { classes[containers[$0].kind].name }
        let all = waiters.all
        let waitersOf = Dictionary(grouping: all) { classes[$0.kind].function }
        let waitersOfName = Dictionary(grouping: all) { classes[$0.kind].name }
        for (scope, index) in functionIndices {
            let function = functions[index]
            let own = ofFunction[index, default: []]
            guard function.scope == scope, function.containers == own.count else {
                return "\(scope.function.name) miscounts its containers"
            }
            let live = own.count { containers[$0].state != .ending }
            guard function.live == live else { return "\(scope.function.name) counts \(function.live) live containers of \(live)" }
            guard function.isListedVacant == function.isVacant else { return "\(scope.function.name) is vacant, or not, and listed so" }
            guard function.waiters == waitersOf[index, default: []].count else {
                return "\(scope.function.name) miscounts its waiters"
            }
        }
        for (key, index) in nameIndex {
            let running = ofName[index, default: []].count { slot in
                containers[slot].state == .busy || containers[slot].state == .starting && !containers[slot].isAhead
            }
            guard running == names[index].running else { return "\(key.name) runs \(running) times, and counts \(names[index].running)" }
            let waiting = waitersOfName[index, default: []].count { $0.reason != .cheaperPeriod }
            guard waiting == names[index].waiting else { return "\(key.name) waits \(waiting) times, and counts \(names[index].waiting)" }
        }
        return nil
    }

    private func brokenWaiter() -> String? {
        for waiter in waiters.all {
            if classes[waiter.kind].isVacant { return "a caller waits for a class that is forgotten" }
            if let container = waiter.container {
                guard let slot = slots[container], containers[slot].state == .busy || containers[slot].state == .starting else {
                    return "a caller waits for a container that is not busy"
                }
            }
            guard waiter.places.contains(.ofClass), waiter.request.affinity == nil, hasIdle(waiter.kind),
                waiters.firstOf(class: waiter.kind, max: Self.lookMax).contains(where: { $0.request.affinity == nil })
            else { continue }
            return "a container is idle, and somebody waits for its class"
        }
        return nil
    }

    private func brokenLedger(_ held: [Int]) -> String? {
        let moment = EngineInstant(nanoseconds: .max / 4)
        var sum = CapacityLedger.Sums()
        for row in ledger.all(now: moment) { sum.add(row.sums) }
        var total = ledger.total(now: moment)
        total.since = sum.since
        if sum != total { return "the ledger's rows do not add up to its total" }
        let executing = held.count { containers[$0].state == .busy }
        let bytes = areas.reduce(0) { $0 + $1.held }
        guard total.executing == executing, total.bytes == bytes, total.containers == held.count, total.instances == instances.count else {
            return "the ledger holds something that is not there"
        }
        return nil
    }

    private func brokenAffinity(_ held: [Int]) -> String? {
        for slot in held where containers[slot].isMapped != affinity.isMapped(containers[slot].id) {
            return "container \(containers[slot].id.number) is mapped, or not, and the table says otherwise"
        }
        for row in affinity.list() {
            guard let slot = slots[row.container] else { return "the value \(row.key.value) has a container that is gone" }
            guard functions[classes[containers[slot].kind].function].scope == row.key.scope else {
                return "the value \(row.key.value) has a container of another function"
            }
        }
        return nil
    }
}
