import EngineCore

/// Tasks in the order in which they are due, each once, tried again with growing pauses. A value without a clock; bounded.
///
/// ```
///  add ──► waiting ──due──► under way ──done──► resting, until which it is not added again
///             ▲                 │
///             ├─── failed ◄─────┤   after triesMax: forgotten
///             └─── postponed ◄──┘
/// ```
struct ReplicationQueue<Key: Hashable & Sendable, Payload: Sendable>: Sendable {
    private struct Entry {
        var payload: Payload
        var due: EngineInstant
        var tries = 0
        var isUnderWay = false
    }

    private var entries: [Key: Entry] = [:]
    private var resting: [Key: EngineInstant] = [:]
    private let configuration: ReplicationConfiguration

    init(configuration: ReplicationConfiguration) { self.configuration = configuration }

    var count: Int { entries.count }
    var underWayCount: Int { entries.values.count { $0.isUnderWay } }

    /// - Parameter sparing: places that it leaves to others.
    /// - Returns: whether it was added: it is not when it is there, rests, or there are too many.
    @discardableResult
    mutating func add(_ key: Key, _ payload: Payload, due: EngineInstant, sparing: Int = 0, now: EngineInstant) -> Bool {
        if let end = resting[key] {
            guard end <= now else { return false }
            resting[key] = nil
        }
        guard entries[key] == nil, entries.count < configuration.queueMax - sparing else { return false }
        entries[key] = Entry(payload: payload, due: due)
        return true
    }

    /// The task that is due for longest; it is under way then. O(tasks).
    mutating func next(now: EngineInstant) -> (key: Key, payload: Payload)? {
        let due = entries.filter { !$0.value.isUnderWay && $0.value.due <= now }
        guard let (key, entry) = due.min(by: { $0.value.due < $1.value.due }) else { return nil }
        entries[key]?.isUnderWay = true
        return (key, entry.payload)
    }

    /// - Parameter rest: how long it is not added again.
    mutating func done(_ key: Key, rest: Duration, now: EngineInstant) {
        entries[key] = nil
        guard rest > .zero else { return }
        if resting.count >= 4 * configuration.queueMax { resting = resting.filter { $0.value > now } }
        if resting.count < 4 * configuration.queueMax { resting[key] = now + rest }
    }

    /// It succeeded and is not done yet: it is due again later.
    mutating func postponed(_ key: Key, due: EngineInstant) {
        guard let payload = entries[key]?.payload else { return }
        entries[key] = Entry(payload: payload, due: due)
    }

    /// - Parameter jitter: 0 to 1; the pause is varied by a fifth to either side.
    mutating func failed(_ key: Key, jitter: Double, now: EngineInstant) {
        guard var entry = entries[key] else { return }
        entry.tries += 1
        guard entry.tries < configuration.triesMax else {
            entries[key] = nil
            return
        }
        let pause = min(configuration.backoff.lowerBound * (1 << min(entry.tries - 1, 20)), configuration.backoff.upperBound)
        entry.due = now + pause * (0.8 + 0.4 * jitter)
        entry.isUnderWay = false
        entries[key] = entry
    }
}
