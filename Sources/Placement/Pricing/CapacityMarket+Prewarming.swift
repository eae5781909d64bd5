extension CapacityMarket {
    /// Returns a slot must have shown before its habit is believed.
    static let returnsForPrewarming: Float = 4
    /// A container started ahead must promise this much more than the price.
    static let prewarmMargin = 1.2
    /// Seconds by which a container is to be ready before the call is expected.
    static let prewarmLead = 0.05

    /// When ``duePrewarmings(now:)`` has something to say; `nil` if nothing is planned. O(1).
    public var nextPrewarming: Double? { timers.first?.at }

    /// A function to start a container of ahead of its next call, which is due; at most one to a call of this.
    ///
    /// - Returns: `nil` when nothing more is due.
    public mutating func takeDuePrewarming(free: Double, slots: Int = 0, now: Double) -> (entry: Entry, victims: [Entry])? {
        while let timer = timers.takeFirst(until: now) {
            let function = functions[timer.entry]
            guard function.containers == 0, function.inFlight == 0, let endedAt = function.slots[0].endedAt else { continue }
            let startCost = configuration.startPrice * function.costs.coldStart
            let age = now - endedAt + function.costs.coldStart + Self.prewarmLead
            let (value, rent) = (value(timer.entry) + startCost, rent(timer.entry))
            let byHabit = netValue(timer.entry, 0, age: age, value: value, rent: rent)
            let byClock = expected(timer.entry, now: now)?.netValue(now: now, value: value, rent: rent) ?? 0
            let worth = max(byHabit, byClock) - startCost
            if worth > 0, let victims = makeRoom(
                Missing(memory: function.costs.memory - free, slots: slots), gain: worth, now: now) {
                return (timer.entry, victims)
            }
            functions[timer.entry].planned = nil
        }
        return nil
    }

    /// The function has nothing here: looks for the moment at which its next call is likeliest.
    mutating func planPrewarm(_ entry: Entry, now: Double) {
        guard configuration.prewarms, functions[entry].planned != functions[entry].calls else { return }
        if let call = expected(entry, now: now), startByClock(entry, call) > now {
            functions[entry].planned = functions[entry].calls
            functions[entry].isPromised = true
            timers.set(entry, at: startByClock(entry, call))
            return
        }
        let function = functions[entry]
        let history = function.slots[0]
        guard let histogram = history.histogram, history.weight >= Self.returnsForPrewarming,
            let endedAt = history.endedAt
        else { return }
        let first = GapBins.bin(of: now - endedAt) + 1
        let value = value(entry)
        let startCost = configuration.startPrice * function.costs.coldStart
        let bins = store.range(of: histogram).lowerBound
        var tail: Double = 0
        for bin in min(first, GapBins.count)..<GapBins.count { tail += Double(store.bins[bins + bin]) }
        for bin in min(first, GapBins.count)..<GapBins.count {
            guard tail > 0.5 else { break }
            let weight = Double(store.bins[bins + bin])
            if weight >= 0.5 * configuration.prewarmProbability * tail {
                let edge = GapBins.edges[bin]
                let found = density(entry, 0, age: edge)
                let promise = (value + startCost - startCost / max(found.probability, .leastNormalMagnitude)) * found.density
                if found.probability >= configuration.prewarmProbability,
                    promise > Self.prewarmMargin * price.value * function.costs.memory
                {
                    functions[entry].planned = function.calls
                    let start = endedAt + edge - function.costs.coldStart - Self.prewarmLead
                    timers.set(entry, at: max(now, start))
                    break
                }
            }
            tail -= weight
        }
        functions[entry].slots[0].cache.to = 0
    }
}

/// At most one timer to a function, the earliest first: a binary heap with the place of each entry.
struct PrewarmTimers: Sendable {
    struct Timer: Sendable {
        var at: Double
        var entry: Int
    }

    private var heap: [Timer] = []
    private var places: [Int: Int] = [:]

    var first: Timer? { heap.first }

    mutating func set(_ entry: Int, at time: Double) {
        cancel(entry)
        heap.append(Timer(at: time, entry: entry))
        places[entry] = heap.count - 1
        rise(heap.count - 1)
    }

    mutating func cancel(_ entry: Int) {
        guard let place = places.removeValue(forKey: entry) else { return }
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        places[last.entry] = place
        rise(place)
        sink(place)
    }

    /// Removes the first timer if its time has come.
    mutating func takeFirst(until now: Double) -> Timer? {
        guard let first = heap.first, first.at <= now else { return nil }
        cancel(first.entry)
        return first
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].at < heap[parent].at else { return }
            swap(child, parent)
            child = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].at < heap[least].at { least = child }
            guard least != parent else { return }
            swap(parent, least)
            parent = least
        }
    }

    private mutating func swap(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        places[heap[one].entry] = one
        places[heap[other].entry] = other
    }
}
