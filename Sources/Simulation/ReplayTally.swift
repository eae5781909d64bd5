/// What a replay counts, from the moment at which its warm-up is over.
struct ReplayTally {
    let from: Double
    var hits = 0
    var coldStarts = 0
    var forwarded = 0
    var dropped = 0
    var starts = 0
    var startsAhead = 0
    var hitsAhead = 0
    var waits = 0
    var spareStarts = 0
    var startSeconds = 0.0
    var busyMebibyteSeconds = 0.0
    /// Calls by added latency in units of 0.1 ms, up to 20 s.
    private var latencies = [Int](repeating: 0, count: 200_001)
    private var latencySum = 0.0
    private var perFunction: [(sum: Double, count: Int)]

    init(functions: Int, from: Double) {
        self.from = from
        perFunction = Array(repeating: (0, 0), count: functions)
    }

    mutating func started(coldStart: Double, ahead: Bool, at now: Double) {
        guard now >= from else { return }
        starts += 1
        startsAhead += ahead ? 1 : 0
        startSeconds += coldStart
    }

    mutating func ran(mebibyteSeconds: Double, at now: Double) {
        if now >= from { busyMebibyteSeconds += mebibyteSeconds }
    }

    /// A call has found neither a container nor room at once, and waits here.
    mutating func waited(at now: Double) { waits += now >= from ? 1 : 0 }

    /// A call has started on a ready instance of the warming pool.
    mutating func startedOnSpare(at now: Double) { spareStarts += now >= from ? 1 : 0 }

    mutating func hitAhead(at now: Double) { hitsAhead += now >= from ? 1 : 0 }

    /// How a call fared.
    enum Fate { case hit(wait: Double), cold(Double), forwarded(Double), dropped }

    /// - Parameter arrival: of the call, which decides whether it is measured.
    mutating func count(_ fate: Fate, function: Int32, at arrival: Double) {
        guard arrival >= from else { return }
        let latency: Double
        switch fate {
        case .hit(let wait):
            hits += 1
            latency = wait
        case .cold(let start):
            coldStarts += 1
            latency = start
        case .forwarded(let roundTrip):
            forwarded += 1
            latency = roundTrip
        case .dropped:
            dropped += 1
            return
        }
        latencies[min(latencies.count - 1, Int((latency * 10_000).rounded()))] += 1
        latencySum += latency
        perFunction[Int(function)].sum += latency
        perFunction[Int(function)].count += 1
    }

    /// The added latency that a part of the calls stays below, in seconds.
    func latency(quantile: Double) -> Double {
        let wanted = quantile * Double(hits + coldStarts + forwarded)
        var seen = 0
        for (unit, count) in latencies.enumerated() where count > 0 {
            seen += count
            if Double(seen) >= wanted { return Double(unit) / 10_000 }
        }
        return 0
    }

    /// - Parameters:
    ///   - heldMebibyteSeconds: what containers and spare instances held since the warm-up, from the machine's ledger.
    ///   - readySeconds: instances of the warming pool that were ready, over time.
    func result(until end: Double, heldMebibyteSeconds: Double, readySeconds: Double) -> ReplayResult {
        let answered = hits + coldStarts + forwarded
        let calls = Double(max(1, answered + dropped))
        let seen = perFunction.filter { $0.count > 0 }.map { $0.sum / Double($0.count) }
        let span = max(end - from, .leastNormalMagnitude)
        return ReplayResult(
            calls: answered + dropped, hitPart: Double(hits) / calls, coldPart: Double(coldStarts) / calls,
            forwardedPart: Double(forwarded) / calls, droppedPart: Double(dropped) / calls, waitedPart: Double(waits) / calls,
            sparePart: Double(spareStarts) / calls,
            meanLatency: latencySum / Double(max(1, answered)), medianLatency: latency(quantile: 0.5),
            latency99: latency(quantile: 0.99), meanOverFunctions: seen.reduce(0, +) / Double(max(1, seen.count)),
            heldGigabytes: heldMebibyteSeconds / span / 1024, busyGigabytes: busyMebibyteSeconds / span / 1024,
            ready: readySeconds / span, startProcessors: startSeconds / span, startsAhead: startsAhead, hitsAhead: hitsAhead)
    }
}

/// How a policy fared with a trace. Latencies are what was added to the calls' own run time: waits, starts, ways to a region.
public struct ReplayResult: Hashable, Sendable, Codable {
    public var calls: Int
    public var hitPart: Double
    public var coldPart: Double
    public var forwardedPart: Double
    /// Calls that found no room where they could not be forwarded.
    public var droppedPart: Double
    /// Calls that waited here: for a container that was being started ahead, or for room. They are counted by their end as well.
    public var waitedPart: Double
    /// Calls that started on a ready instance of the warming pool: a part of `coldPart`.
    public var sparePart: Double
    /// In seconds, as all latencies.
    public var meanLatency: Double
    public var medianLatency: Double
    public var latency99: Double
    /// The mean of the functions' means: each function counts once, the rare ones too.
    public var meanOverFunctions: Double
    /// Memory held, on average: by containers in whatever state and by spare instances.
    public var heldGigabytes: Double
    /// Memory held by containers that ran a call.
    public var busyGigabytes: Double
    /// Instances of the warming pool that were ready, on average.
    public var ready: Double
    /// Processors busy with starting, on average.
    public var startProcessors: Double
    public var startsAhead: Int
    public var hitsAhead: Int
}
