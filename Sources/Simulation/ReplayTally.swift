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
    var startSeconds = 0.0
    var idleMebibyteSeconds = 0.0
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

    mutating func wasIdle(from began: Double, to ended: Double, mebibytes: Double) {
        let began = max(began, from)
        if ended > began { idleMebibyteSeconds += (ended - began) * mebibytes }
    }

    /// How a call fared.
    enum Fate { case hit(wait: Double), cold(Double), forwarded(Double), dropped }

    mutating func count(_ fate: Fate, function: Int, at now: Double) {
        guard now >= from else { return }
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
        perFunction[function].sum += latency
        perFunction[function].count += 1
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

    func result(until end: Double) -> ReplayResult {
        let answered = hits + coldStarts + forwarded
        let calls = Double(max(1, answered + dropped))
        let seen = perFunction.filter { $0.count > 0 }.map { $0.sum / Double($0.count) }
        let span = max(end - from, .leastNormalMagnitude)
        return ReplayResult(
            calls: answered + dropped, hitPart: Double(hits) / calls, coldPart: Double(coldStarts) / calls,
            forwardedPart: Double(forwarded) / calls, droppedPart: Double(dropped) / calls,
            meanLatency: latencySum / Double(max(1, answered)), medianLatency: latency(quantile: 0.5),
            latency99: latency(quantile: 0.99), meanOverFunctions: seen.reduce(0, +) / Double(max(1, seen.count)),
            idleGigabytes: idleMebibyteSeconds / span / 1024, busyGigabytes: busyMebibyteSeconds / span / 1024,
            startProcessors: startSeconds / span, startsAhead: startsAhead, hitsAhead: hitsAhead)
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
    /// In seconds, as all latencies.
    public var meanLatency: Double
    public var medianLatency: Double
    public var latency99: Double
    /// The mean of the functions' means: each function counts once, the rare ones too.
    public var meanOverFunctions: Double
    /// Memory held by idle and by busy containers, on average.
    public var idleGigabytes: Double
    public var busyGigabytes: Double
    /// Processors busy with starting, on average.
    public var startProcessors: Double
    public var startsAhead: Int
    public var hitsAhead: Int
}
