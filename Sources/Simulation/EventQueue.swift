/// Events by time; of equal times the first added first. A binary heap.
struct EventQueue<Event: Sendable>: Sendable {
    private struct Entry: Sendable {
        var at: Double
        var order: UInt64
        var event: Event

        func precedes(_ other: Entry) -> Bool { at < other.at || (at == other.at && order < other.order) }
    }

    private var heap: [Entry] = []
    private var added: UInt64 = 0

    var nextAt: Double? { heap.first?.at }
    var count: Int { heap.count }

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
        if !heap.isEmpty { sink(last, from: 0) }
        return (first.at, first.event)
    }

    /// O(events).
    mutating func keepOnly(_ isKept: (Event) -> Bool) {
        heap.removeAll { !isKept($0.event) }
        // Sorted by precedence, an array is a heap.
        heap.sort { $0.precedes($1) }
    }

    private mutating func sink(_ entry: Entry, from start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(entry) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = entry
    }
}
