internal import EngineCore

// Which calls are worth local memory, and what is kept warm.
//
// Every choice is one comparison of seconds: what the caller wins against what the memory is worth meanwhile at the going price
// (``MemoryPrice``). A call that finds nothing warm pays the cheaper of a start here and the way to a region, so warmth saves
// v = min(cold start, round trip), less what the run itself costs at the price.
//
//     a container is idle        run there, unless the run is so long that the round trip is cheaper than the memory
//     nothing is                 start here if the start is quicker than the region and the gain exceeds the loss of those who make room;
//                                else forward, and start behind the forwarded call if the container will be worth it
//     room is needed             of a sample of functions with idle containers, and the lowest of the last time, those of the least
//                                hit density go first; each costs its net value, and 1.05 × their sum must stay below the gain
//     the last container goes    a timer is set shortly before the moment at which the next call is likeliest, if any is likely enough;
//                                to the second where calls come by the clock (``ArrivalRhythm``)
//
// What comes by the clock can be given up after each call for no more than the next start, for it will be there again in time: so its
// idle container is worth that, not what a miss costs, and makes room for those whose calls nobody can foresee.
//
// A start costs processor time too, which is priced at `startPrice` seconds of latency to the second; that also stops flapping.
//
// Refused. Fixed keep-alive and LRU: they cannot say no. GDSF and TinyLFU: they rank but do not price, so they cannot tell "run this
// minute-long job elsewhere" from "this function needs a third container". A score of weighted inputs: nobody can say what a point is.
//
// The market owns no container and reads no clock. It is told what happens, keeps counts to each function, and answers, so that a pool of
// real containers and a simulator can ask it the same questions, and both do. Times are seconds since an origin of the
// caller's, memory is mebibytes.
//
// Source: policy.md, "HDP, precisely"; L. Beckmann et al., NSDI 2018 (hit density); A. Fuerst, P. Sharma, "FaasCache", ASPLOS 2021
// (keep-alive as caching); M. Shahrad et al., "Serverless in the Wild", ATC 2020 (pre-warming from idle-time histograms).

/// The policy of admission, keep-alive, eviction and pre-warming, as a value.
public struct CapacityMarket: Sendable {
    /// A function's place in the market's table. It stays its own until ``forget(_:)``.
    public typealias Entry = Int

    public struct Configuration: Hashable, Sendable {
        /// Mebibytes of the pool.
        public var capacity: Double
        /// Functions with idle containers that are looked at when room is needed.
        public var sampleSize = 24
        /// The lowest of a sample that are looked at again next time.
        public var carriedOver = 8
        /// Of those that were lowest when the price was reckoned, and of those that come by the clock, so many each are looked at too.
        public var recommended = 8
        /// Seconds of latency that a second of starting is worth.
        public var startPrice = 0.05
        /// How much a newcomer's gain must exceed the loss of those who make room.
        public var hysteresis = 1.05
        /// The least probability of a call for which a container is started ahead of it.
        public var prewarmProbability = 0.3
        /// Whether containers are started ahead of calls at all.
        public var prewarms = true
        /// Whether there are regions; without them every call runs here and only keep-alive and eviction are decided.
        public var hasRegions = true
        /// Histograms held, 504 bytes each. Reached: later slots are judged by their class.
        public var histogramsMax = 65_536
        /// Calls of one function at once that are told apart.
        public var slotsMax = 64

        public init(capacity: Double) { self.capacity = capacity }
    }

    /// What is known or measured about a function when it is called.
    public struct Costs: Hashable, Sendable {
        /// Mebibytes one container holds.
        public var memory: Double
        /// Seconds from nothing to the function's first call.
        public var coldStart: Double
        /// Seconds to its region and back.
        public var roundTrip: Double
        /// What a second of its callers' time is worth, compared with others.
        public var weight: Double

        public init(memory: Double, coldStart: Double, roundTrip: Double, weight: Double = 1) {
            self.memory = memory
            self.coldStart = coldStart
            self.roundTrip = roundTrip
            self.weight = weight
        }
    }

    struct Function {
        var costs: Costs
        /// How long runs take, wherever they were, here, and in regions.
        var duration = RunTime()
        var here = RunTime()
        var there = RunTime()
        /// Calls under way, here or in a region.
        var inFlight = 0
        /// Containers here: busy, idle, and all with those that are starting.
        var busy = 0
        var idle = 0
        var containers = 0
        /// Counts calls, so that a timer set before one is known to be void.
        var calls: UInt32 = 0
        /// The count of calls at which a pre-warming was planned last.
        var planned: UInt32?
        var slots: [SlotHistory] = [SlotHistory()]
        var rhythm = ArrivalRhythm()
        /// A start ahead of the next call was planned by the clock.
        var isPromised = false
        /// The number of the sample it is in.
        var sampled: UInt64 = 0
        /// Where it is in the list of functions with idle containers.
        var place: Int?
    }

    public private(set) var configuration: Configuration
    var functions: [Function] = []
    var freeEntries: [Entry] = []
    var classes = [GapClass](repeating: GapClass(), count: GapClass.count)
    var store: HistogramStore
    var price = MemoryPrice()
    var priceRound: PriceRound?
    /// Functions with idle containers, and some that had until a while ago.
    var withIdle: [Entry] = []
    var carried: [Entry] = []
    /// The functions whose idle containers were worth least when the price was reckoned, the least worthy last.
    var lowest: [Entry] = []
    /// Functions that will come by the clock, and had just been called.
    var dispensable: [Entry] = []
    var samples: UInt64 = 0
    var timers = PrewarmTimers()
    var meanSize = 100.0
    var random: SplitMix

    /// - Parameter seed: of the sampler. Equal seeds and equal calls give equal answers.
    public init(configuration: Configuration, seed: UInt64) {
        self.configuration = configuration
        store = HistogramStore(limit: configuration.histogramsMax)
        random = SplitMix(state: seed)
    }

    /// Mebibytes of the pool.
    public var capacity: Double {
        get { configuration.capacity }
        set { configuration.capacity = newValue }
    }

    /// What is known about a function's costs. O(1).
    public func costs(of entry: Entry) -> Costs { functions[entry].costs }

    /// A better guess of a function's costs. It holds for the containers that are there as well. O(1).
    public mutating func setCosts(of entry: Entry, to costs: Costs) { functions[entry].costs = costs }

    /// What a mebibyte-second costs now, in seconds of latency.
    public var pricePerMebibyteSecond: Double { price.value }

    /// Takes a function into the table. O(1).
    public mutating func add(_ costs: Costs) -> Entry {
        let function = Function(costs: costs)
        guard let reused = freeEntries.popLast() else {
            functions.append(function)
            return functions.count - 1
        }
        functions[reused] = function
        return reused
    }

    /// Forgets a function that has no container and no call under way. O(slots it used).
    public mutating func forget(_ entry: Entry) {
        precondition(functions[entry].containers == 0 && functions[entry].inFlight == 0, "a function in use cannot be forgotten")
        for slot in functions[entry].slots { slot.histogram.map { store.giveBack($0) } }
        if functions[entry].place != nil { unlist(entry) }
        timers.cancel(entry)
        functions[entry] = Function(costs: Costs(memory: 1, coldStart: 0, roundTrip: 0))
        freeEntries.append(entry)
    }

    // MARK: What happened

    /// A call arrives. To be told before anything is asked about it. O(1), and O(``priceStep``) now and then.
    ///
    /// - Parameter free: mebibytes that no container holds.
    public mutating func arrived(_ entry: Entry, free: Double, now: Double) {
        functions[entry].calls &+= 1
        timers.cancel(entry)
        notePromise(entry)
        meanSize += 0.01 * (functions[entry].costs.memory - meanSize)
        if priceRound != nil || price.isDue(at: now) { stepPrice(free: free, now: now) }
        functions[entry].rhythm.recordStart(at: now)
        openSlots(entry, now: now)
        endGap(entry, slot(entry, functions[entry].inFlight), now: now)
    }

    /// A call for an entry that is one container, and begins at once. Neither the mean size nor the price hears of it. O(1).
    public mutating func resumed(_ entry: Entry, now: Double) {
        functions[entry].calls &+= 1
        timers.cancel(entry)
        endGap(entry, slot(entry, functions[entry].inFlight), now: now)
        began(entry)
    }

    /// The call goes on, here or in a region.
    public mutating func began(_ entry: Entry) { functions[entry].inFlight += 1 }

    /// The call has lost its place and is to have another: its next ``began(_:)`` is that of the same call. O(1).
    public mutating func withdrawn(_ entry: Entry) { functions[entry].inFlight -= 1 }

    /// A call is over, wherever it ran.
    public mutating func ended(_ entry: Entry, now: Double) {
        functions[entry].inFlight -= 1
        let number = slot(entry, functions[entry].inFlight)
        let history = functions[entry].slots[number]
        let classIndex =
            history.meanGap > 0
            ? GapClass.index(ofMeanGap: history.meanGap) : number == 0 ? GapClass.unknownFirst : GapClass.unknownLater
        functions[entry].slots[number].endedAt = now
        functions[entry].slots[number].classIndex = classIndex
        functions[entry].slots[number].cache.to = 0
        classes[classIndex].starts += 1
        guard number == 0 else { return }
        if functions[entry].containers == 0 { planPrewarm(entry, now: now) } else { noteDispensable(entry, now: now) }
    }

    /// How long a run took, in seconds, from its answer.
    public mutating func measured(_ entry: Entry, duration: Double, elsewhere: Bool) {
        functions[entry].duration.add(duration)
        if elsewhere { functions[entry].there.add(duration) } else { functions[entry].here.add(duration) }
    }

    /// Mean run times in seconds, here and in regions; `nil` where none was seen.
    public func runTimes(of entry: Entry) -> (here: Double?, there: Double?) {
        (functions[entry].here.known, functions[entry].there.known)
    }

    public mutating func containerStarts(_ entry: Entry) { functions[entry].containers += 1 }

    /// A container begins its first call.
    public mutating func containerIsBusy(_ entry: Entry) { functions[entry].busy += 1 }

    /// An idle container begins a call.
    public mutating func containerTaken(_ entry: Entry) {
        functions[entry].idle -= 1
        functions[entry].busy += 1
    }

    /// A container becomes idle, after a call or after a start behind one.
    public mutating func containerIsIdle(_ entry: Entry, wasBusy: Bool) {
        if wasBusy { functions[entry].busy -= 1 }
        functions[entry].idle += 1
        guard functions[entry].place == nil else { return }
        functions[entry].place = withIdle.count
        withIdle.append(entry)
    }

    /// An idle container is gone: evicted as asked, or for another reason.
    public mutating func idleContainerEnded(_ entry: Entry, now: Double) {
        functions[entry].idle -= 1
        functions[entry].containers -= 1
        if functions[entry].containers == 0, functions[entry].inFlight == 0 { planPrewarm(entry, now: now) }
    }

    /// A container is gone that was starting or busy.
    public mutating func containerEnded(_ entry: Entry, wasBusy: Bool) {
        if wasBusy { functions[entry].busy -= 1 }
        functions[entry].containers -= 1
    }

    // MARK: Slots

    /// The slot of a function's `number`-th call at once; the last one that is open if it never had so many.
    func slot(_ entry: Entry, _ number: Int) -> Int { min(number, functions[entry].slots.count - 1) }

    /// Opens the slot above the one that a call takes, if it is the highest so far: its gap begins now, so that a container that was
    /// never needed there ages like any other.
    private mutating func openSlots(_ entry: Entry, now: Double) {
        while functions[entry].slots.count < min(functions[entry].inFlight + 2, configuration.slotsMax) {
            functions[entry].slots.append(SlotHistory(endedAt: now))
            classes[GapClass.unknownLater].starts += 1
        }
    }

    private mutating func endGap(_ entry: Entry, _ number: Int, now: Double) {
        guard let endedAt = functions[entry].slots[number].endedAt else { return }
        let gap = max(now - endedAt, 0)
        let bin = GapBins.bin(of: gap)
        classes[functions[entry].slots[number].classIndex].recordReturn(bin: bin)
        functions[entry].slots[number].endedAt = nil
        functions[entry].slots[number].cache.to = 0
        let mean = functions[entry].slots[number].meanGap
        functions[entry].slots[number].meanGap = mean == 0 ? max(gap, .leastNormalMagnitude) : mean + 0.3 * (gap - mean)
        guard let histogram = functions[entry].slots[number].histogram ?? store.take() else { return }
        functions[entry].slots[number].histogram = histogram
        functions[entry].slots[number].weight = store.record(bin, in: histogram, weight: functions[entry].slots[number].weight)
    }
}
