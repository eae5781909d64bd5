internal import Placement

/// The containers of one node in virtual time.
///
/// One container serves one call at a time. Its memory counts from the beginning of its start to its end; only idle ones can be ended.
struct ReplayPool {
    enum ContainerState { case starting, idle, busy, ended }

    struct Container {
        let function: Int
        var state = ContainerState.starting
        /// When it became idle, or will be ready.
        var since = 0.0
        /// Counts changes of state, so that an event set before one is known to be void.
        var generation: UInt32 = 0
        /// Started ahead of its call, and not used yet.
        var isAhead = false
        /// What a policy ranks it by.
        var rank = 0.0
    }

    enum Event {
        case callEnded(Int)
        case ready(Int, UInt32)
        case expires(Int, UInt32)
        case forwardedEnded(Int)
        case policy(Int, UInt32)
    }

    let trace: Trace
    let capacity: Double
    var containers: [Container] = []
    private var reusable: [Int] = []
    /// Of each function, the most recently used last.
    var idle: [[Int]]
    /// Of each function, not claimed by a call yet; the first to be ready first.
    var starting: [[Int]]
    var busy: [Int]
    /// Calls under way, here and in a region.
    var inFlight: [Int]
    /// Containers of each function.
    var held: [Int]
    var used = 0.0
    var now = 0.0
    var events = EventQueue<Event>()
    var tally: ReplayTally

    init(_ trace: Trace, capacity: Double, measuredFrom: Double) {
        self.trace = trace
        self.capacity = capacity
        let functions = trace.costs.count
        idle = [[Int]](repeating: [], count: functions)
        starting = idle
        busy = [Int](repeating: 0, count: functions)
        inFlight = busy
        held = busy
        tally = ReplayTally(functions: functions, from: measuredFrom)
    }

    var free: Double { capacity - used }

    func memory(_ function: Int) -> Double { trace.costs[function].memory }

    /// Begins a start; its end is the caller's to schedule.
    mutating func start(_ function: Int, ahead: Bool) -> Int {
        var container = Container(function: function)
        container.since = now + trace.costs[function].coldStart
        container.isAhead = ahead
        used += memory(function)
        held[function] += 1
        tally.started(coldStart: trace.costs[function].coldStart, ahead: ahead, at: now)
        guard let reused = reusable.popLast() else {
            containers.append(container)
            return containers.count - 1
        }
        container.generation = containers[reused].generation + 1
        containers[reused] = container
        return reused
    }

    /// Starts a container behind a forwarded call, or ahead of one.
    mutating func startBehind(_ function: Int, ahead: Bool = false) {
        let container = start(function, ahead: ahead)
        starting[function].append(container)
        events.add(.ready(container, containers[container].generation), at: containers[container].since)
    }

    /// The call runs in the container from now on, after `delay`.
    mutating func run(_ container: Int, for duration: Double, after delay: Double) {
        let function = containers[container].function
        busy[function] += 1
        inFlight[function] += 1
        containers[container].state = .busy
        containers[container].generation += 1
        events.add(.callEnded(container), at: now + delay + duration)
        tally.ran(mebibyteSeconds: duration * memory(function), at: now)
    }

    mutating func becomeIdle(_ container: Int) {
        containers[container].state = .idle
        containers[container].since = now
        containers[container].generation += 1
        idle[containers[container].function].append(container)
    }

    mutating func takeIdle(_ function: Int) -> Int? {
        guard let container = idle[function].popLast() else { return nil }
        accountIdle(container)
        return container
    }

    mutating func end(_ container: Int) {
        let function = containers[container].function
        if idle[function].first == container {
            idle[function].removeFirst()
        } else {
            idle[function].removeAll { $0 == container }
        }
        accountIdle(container)
        containers[container].state = .ended
        containers[container].generation += 1
        used -= memory(function)
        held[function] -= 1
        reusable.append(container)
    }

    mutating func accountIdle(_ container: Int) {
        tally.wasIdle(from: containers[container].since, to: now, mebibytes: memory(containers[container].function))
    }
}

/// Events by time; of equal times the first added first. A binary heap.
struct EventQueue<Event> {
    private struct Entry {
        var at: Double
        var order: UInt64
        var event: Event

        func precedes(_ other: Entry) -> Bool { at < other.at || (at == other.at && order < other.order) }
    }

    private var heap: [Entry] = []
    private var added: UInt64 = 0

    var nextAt: Double? { heap.first?.at }

    mutating func add(_ event: Event, at time: Double) {
        added += 1
        let entry = Entry(at: time, order: added, event: event)
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.precedes(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    mutating func takeFirst() -> (at: Double, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return (first.at, first.event) }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(last) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return (first.at, first.event)
    }
}
