internal import EngineCore

/// What is to be looked at when its time comes: a binary heap, the earliest first. Adding and taking are O(log n).
///
/// Nothing is taken out of the middle when it is over. Whoever is looked at is asked whether there is still anything to do, and a
/// container, of which there are many, has one entry at a time, however often it becomes idle. The owner clears away what is over now
/// and then.
struct Agenda: Sendable {
    enum Event: Hashable, Sendable {
        /// A container in this slot may have been idle for long enough.
        case idle(slot: Int, ContainerID)
        /// An instance has reached its greatest age.
        case lifetime(InstanceID)
        /// A waiting caller's reason to wait may be over.
        case waiter(WaiterID)
        /// The grace of those whose memory was taken back is over, in this area.
        case reclaim(area: Int)
        /// What a fixed sub-pool has lent is to come back.
        case loan(subPool: Int)
    }

    private struct Entry {
        let at: EngineInstant
        let event: Event
    }

    private var heap: [Entry] = []

    var nextAt: EngineInstant? { heap.first?.at }
    var count: Int { heap.count }

    mutating func add(_ event: Event, at time: EngineInstant) {
        heap.append(Entry(at: time, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].at < heap[parent].at else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// The earliest event, if its time has come.
    mutating func takeDue(now: EngineInstant) -> (at: EngineInstant, event: Event)? {
        guard let first = heap.first, first.at <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.at, first.event)
    }

    /// Takes out all events but those that fulfil `condition`. O(n).
    mutating func keep(_ condition: (Event) -> Bool) {
        heap.removeAll { !condition($0.event) }
        for parent in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(parent) }
    }

    private mutating func sink(_ start: Int = 0) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].at < heap[least].at { least = child }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
