extension CapacityMarket {
    /// What becomes of a call that finds no idle container.
    public enum Choice: Hashable, Sendable {
        /// Start a container in the call's way and run it there.
        case startHere
        /// Forward the call.
        case forward
        /// Forward the call and start a container behind it, for the next one.
        case forwardAndStart
        /// Without regions: there is no room.
        case refuse
    }

    /// A choice and the idle containers that have to go for it: one for each time a function is named, its least recently used first.
    public struct Decision: Hashable, Sendable {
        public var choice: Choice
        /// What the container was worth.
        public var worth: Worth
        /// Seconds of its callers' time, weighed, that a container is expected to win beyond what it costs.
        public var gain = 0.0
        public var victims: [Entry] = []
    }

    /// Whether a call should use the idle container that is there. A minute's run does not deserve a POP's memory for 30 ms. O(1).
    public func usesIdle(_ entry: Entry) -> Bool {
        !configuration.hasRegions || rent(entry) * functions[entry].duration.mean < way(entry)
    }

    /// Seconds of waiting, weighed, that a forwarded call costs: the way, and what the run takes longer there.
    func way(_ entry: Entry) -> Double {
        let costs = functions[entry].costs
        return costs.weight * max(0, costs.roundTrip + functions[entry].there.excess(over: functions[entry].here))
    }

    /// What becomes of a call that finds nothing warm.
    ///
    /// - Parameters:
    ///   - missing: what one more container lacks.
    ///   - makesRoom: whether others may have to go; otherwise it is only said what it is worth.
    ///   - isSetAside: it would lie in memory that is its account's alone, and so costs nobody anything.
    /// - Complexity: O(sample × bins) when somebody has to go; else O(bins).
    public mutating func decideMiss(
        _ entry: Entry, missing: Missing, makesRoom: Bool = true, isSetAside: Bool = false, now: Double
    ) -> Decision {
        let costs = functions[entry].costs
        let missing = makesRoom ? missing : Missing(memory: 0)
        guard configuration.hasRegions else {
            guard let victims = makeRoom(missing, gain: .infinity, now: now) else { return Decision(choice: .refuse, worth: .noRoom) }
            return Decision(choice: .startHere, worth: .start, victims: victims)
        }
        let rent = isSetAside ? 0 : rent(entry)
        let startCost = configuration.startPrice * costs.coldStart
        let later = futureValue(entry, rent: rent, now: now)
        let way = way(entry)
        if costs.weight * costs.coldStart < way {
            let duration = functions[entry].duration.known ?? 1
            let gain = way - costs.weight * costs.coldStart - rent * (costs.coldStart + duration) - startCost
            guard gain > 0 else { return declined(entry, gain, rent: rent, isFull: !makesRoom || missing.isAny) }
            guard let victims = makeRoom(missing, gain: gain + later, now: now) else {
                return Decision(choice: .forward, worth: .noRoom, gain: gain)
            }
            return Decision(choice: .startHere, worth: .start, gain: gain, victims: victims)
        }
        let gain = later - startCost - rent * costs.coldStart
        guard gain > 0 else { return declined(entry, gain, rent: rent, isFull: !makesRoom || missing.isAny) }
        guard let victims = makeRoom(missing, gain: gain, now: now) else { return Decision(choice: .forward, worth: .noRoom, gain: gain) }
        return Decision(choice: .forwardAndStart, worth: .startBehind, gain: gain, victims: victims)
    }

    /// Why one more container would be a loss. What has one here is not uncommon: where memory is short, that is what it lacks.
    private func declined(_ entry: Entry, _ gain: Double, rent: Double, isFull: Bool) -> Decision {
        let isTooLong = functions[entry].duration.known.map { rent * $0 >= way(entry) } ?? false
        return Decision(
            choice: .forward, worth: isTooLong ? .tooLong : functions[entry].containers > 0 && isFull ? .noRoom : .uncommon, gain: gain)
    }

    /// Seconds of latency that holding a function's memory for one second costs.
    func rent(_ entry: Entry) -> Double { price.value * functions[entry].costs.memory }

    /// What finding it warm saves once, after the run has paid for the memory it occupies.
    func value(_ entry: Entry) -> Double { value(entry, rent: rent(entry)) }

    private func value(_ entry: Entry, rent: Double) -> Double {
        let costs = functions[entry].costs
        guard configuration.hasRegions else { return costs.weight * costs.coldStart }
        return max(0, min(costs.weight * costs.coldStart, way(entry) - rent * functions[entry].duration.mean))
    }

    /// What a container in that slot is worth: seconds of latency saved per mebibyte-second.
    mutating func index(_ entry: Entry, _ number: Int, now: Double) -> Double {
        let number = slot(entry, number)
        var density = density(entry, number, age: age(entry, number, now: now)).density
        var worth = value(entry)
        if number == 0, let call = expected(entry, now: now) {
            density = max(density, call.density(now: now))
            if let parting = partingCost(entry, call, now: now) { worth = min(worth, parting) }
        }
        return worth * density / functions[entry].costs.memory
    }

    /// What is lost with an idle container of that slot, in seconds.
    private mutating func loss(_ entry: Entry, _ number: Int, now: Double) -> Double {
        let number = slot(entry, number)
        let rent = rent(entry)
        let worth = value(entry) + configuration.startPrice * functions[entry].costs.coldStart
        let lost = netValue(entry, number, age: age(entry, number, now: now), value: worth, rent: rent)
        guard number == 0, let call = expected(entry, now: now) else { return lost }
        return min(max(lost, call.netValue(now: now, value: worth, rent: rent)), partingCost(entry, call, now: now) ?? .infinity)
    }

    /// What one more container will be worth once it is idle, in seconds.
    private mutating func futureValue(_ entry: Entry, rent: Double, now: Double) -> Double {
        let worth = value(entry, rent: rent) + configuration.startPrice * functions[entry].costs.coldStart
        let later = netValue(entry, functions[entry].containers, age: 0, value: worth, rent: rent)
        guard functions[entry].containers == 0, functions[entry].inFlight == 0, let call = expected(entry, now: now),
            let parting = partingCost(entry, call, now: now)
        else { return later }
        return min(max(later, call.netValue(now: now, value: worth, rent: rent)), parting)
    }

    /// Seconds since the slot's last call; 0 while one is under way.
    private func age(_ entry: Entry, _ number: Int, now: Double) -> Double { functions[entry].slots[number].endedAt.map { now - $0 } ?? 0 }

    mutating func density(_ entry: Entry, _ number: Int, age: Double) -> SlotHistory.Cache {
        let cached = functions[entry].slots[number].cache
        if cached.from <= age, age < cached.to, cached.weight == functions[entry].slots[number].weight { return cached }
        let history = functions[entry].slots[number]
        let bin = GapBins.bin(of: age)
        let found = HitDensity(history, classes: classes, store: store).density(age: age)
        let cache = SlotHistory.Cache(
            from: bin == 0 ? -.infinity : GapBins.edges[bin], to: bin == GapBins.count - 1 ? .infinity : GapBins.edges[bin + 1],
            weight: history.weight, density: found.density, probability: found.probability)
        functions[entry].slots[number].cache = cache
        return cache
    }

    func netValue(_ entry: Entry, _ number: Int, age: Double, value: Double, rent: Double) -> Double {
        HitDensity(functions[entry].slots[slot(entry, number)], classes: classes, store: store)
            .netValue(age: age, value: value, rent: rent)
    }

    // MARK: Making room

    private struct Candidate {
        var index: Double
        var entry: Entry
        /// How many of the function's idle containers would be left before this one, counted from the most recently used.
        var depth: Int
    }

    /// What has to come free.
    public struct Missing: Hashable, Sendable {
        /// Mebibytes; may be negative.
        public var memory: Double
        /// Places for containers; may be negative.
        public var slots: Int

        public init(memory: Double, slots: Int = 0) {
            self.memory = memory
            self.slots = slots
        }

        var isAny: Bool { memory > 0 || slots > 0 }
    }

    /// The idle containers that have to go so that what is missing comes free.
    ///
    /// - Parameter gain: seconds won by it; more may not be lost.
    /// - Returns: `nil` when the loss would be too high or not enough is idle. Nothing has changed in either case.
    public mutating func makeRoom(_ missing: Missing, gain: Double, now: Double) -> [Entry]? {
        guard missing.isAny else { return [] }
        var candidates = sample().map { entry in
            let depth = functions[entry].idle - 1
            return Candidate(index: index(entry, functions[entry].busy + depth, now: now), entry: entry, depth: depth)
        }
        candidates.sort { $0.index > $1.index }  // the least worthy last, where it is taken from
        carried = candidates.suffix(configuration.carriedOver).map(\.entry)
        var left = missing
        var lost = 0.0
        var victims: [Entry] = []
        while left.isAny {
            guard let next = candidates.popLast() else { return nil }
            if gain.isFinite {
                lost += loss(next.entry, functions[next.entry].busy + next.depth, now: now)
                guard lost * configuration.hysteresis <= gain else { return nil }
            }
            victims.append(next.entry)
            left.memory -= functions[next.entry].costs.memory
            left.slots -= 1
            guard next.depth > 0 else { continue }
            let depth = next.depth - 1
            let again = Candidate(index: index(next.entry, functions[next.entry].busy + depth, now: now), entry: next.entry, depth: depth)
            let place = candidates.lastIndex { $0.index >= again.index }.map { $0 + 1 } ?? 0
            candidates.insert(again, at: place)
        }
        return victims
    }

    /// Some functions with idle containers, each once: the lowest of the last time, those that the last round of the price found lowest,
    /// those that will come by the clock and were called just now, and random ones.
    private mutating func sample() -> [Entry] {
        if withIdle.count <= configuration.sampleSize {
            for place in stride(from: withIdle.count - 1, through: 0, by: -1) where functions[withIdle[place]].idle == 0 {
                unlist(withIdle[place])
            }
            return withIdle
        }
        samples += 1
        var chosen: [Entry] = []
        chosen.reserveCapacity(configuration.sampleSize + configuration.carriedOver + 2 * configuration.recommended)
        for entry in carried { choose(entry, &chosen) }
        while let last = lowest.last, functions[last].idle == 0 { lowest.removeLast() }
        while let last = dispensable.last, functions[last].idle == 0 { dispensable.removeLast() }
        for entry in lowest.suffix(configuration.recommended) { choose(entry, &chosen) }
        for entry in dispensable.suffix(configuration.recommended) { choose(entry, &chosen) }
        let wanted = min(configuration.sampleSize + chosen.count, withIdle.count)
        var tries = 0
        while chosen.count < wanted, tries < 4 * configuration.sampleSize, !withIdle.isEmpty {
            tries += 1
            let entry = withIdle[Int.random(in: 0..<withIdle.count, using: &random)]
            if functions[entry].idle == 0 { unlist(entry) } else { choose(entry, &chosen) }
        }
        return chosen
    }

    /// Takes a function into the sample, unless it is in it or has nothing idle.
    private mutating func choose(_ entry: Entry, _ chosen: inout [Entry]) {
        guard functions[entry].idle > 0, functions[entry].sampled != samples else { return }
        functions[entry].sampled = samples
        chosen.append(entry)
    }

    mutating func unlist(_ entry: Entry) {
        guard let place = functions[entry].place else { return }
        functions[entry].place = nil
        guard let last = withIdle.popLast(), last != entry else { return }
        withIdle[place] = last
        functions[last].place = place
    }
}
