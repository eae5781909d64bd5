internal import DequeModule
internal import EngineCore

/// Who waits for capacity, in the order of their coming.
///
/// One queue for all would either let a head that cannot be placed stand before the others, or have each release look at everybody.
/// So a waiter stands in the queues of what may end its wait, and only there:
///
///     the line of its size    memory, slots or starts are short
///     its class               a container of it is given back; every waiter but those for one particular container or a later time
///     its account             the account has as much as it may
///     the bidders             no variable capacity is to be had for its bid
///     one container           the one that it wants, or one that is being started ahead
///
/// What can be placed depends on its size. So those of one size wait in one line, in which the first speaks for all, and a
/// release looks at the heads of the lines, the oldest first. Sizes are lumped by powers of two, so that there are few lines,
/// whatever sizes functions have; within one, a larger function lets a smaller one wait rather than the smaller starve it.
///
/// A waiter is taken out of all of its queues in O(1): what is left of it in line is passed over when it comes to the front, so that the
/// first of every queue is there. Where a queue has none left, there is no queue.
struct WaiterQueues: Sendable {
    struct Line: Hashable, Sendable {
        let runtime: Int
        let usesSpares: Bool
        let magnitude: Int
        /// Those who may take from different parts of the node do not speak for each other.
        let kinds: Set<SubPoolID.Kind>
        let named: Set<String>?
    }

    struct Places: OptionSet, Sendable {
        let rawValue: UInt8
        static let line = Places(rawValue: 1)
        static let ofClass = Places(rawValue: 2)
        static let account = Places(rawValue: 4)
        static let bidders = Places(rawValue: 8)
        static let container = Places(rawValue: 16)
    }

    struct Waiter: Sendable {
        let id: WaiterID
        var request: CapacityRequest
        let kind: Int
        let account: Int
        let line: Line
        let since: EngineInstant
        var reason: CapacityWait
        var places: Places
        /// Whose line it stands in.
        var container: ContainerID?
        /// When its reason to wait is over at the latest.
        var until: EngineInstant?
    }

    /// Those of one queue, and how many of them are still there.
    private struct Queue: Sendable {
        var ids: Deque<WaiterID> = []
        var live = 0
    }

    /// What a round of looking at the heads has found out: the lines that cannot be served now.
    struct Round {
        fileprivate var passed: Set<Line> = []
        mutating func pass(_ waiter: Waiter) { passed.insert(waiter.line) }
    }

    private var waiting: [WaiterID: Waiter] = [:]
    private var lines: [Line: Queue] = [:]
    private var classes: [Int: Queue] = [:]
    private var accounts: [Int: Queue] = [:]
    private var containers: [ContainerID: Queue] = [:]
    /// The highest bid first, then the one that came first.
    private var bidders: [(bid: Double, id: WaiterID)] = []

    var count: Int { waiting.count }
    var isEmpty: Bool { waiting.isEmpty }
    var all: [Waiter] { waiting.values.sorted { $0.id.number < $1.id.number } }
    var inAnyOrder: some Sequence<Waiter> { waiting.values }
    var hasBidders: Bool { !bidders.isEmpty }

    subscript(_ id: WaiterID) -> Waiter? { waiting[id] }

    func hasAny(of kind: Int) -> Bool { !classes.isEmpty && classes[kind] != nil }
    func count(inLineOf waiter: Waiter) -> Int { lines[waiter.line]?.live ?? 0 }
    func count(at container: ContainerID) -> Int { containers.isEmpty ? 0 : containers[container]?.live ?? 0 }
    func hasAny(ofAccount account: Int) -> Bool { !accounts.isEmpty && accounts[account] != nil }

    // MARK: Coming and going

    mutating func insert(_ waiter: Waiter) {
        waiting[waiter.id] = waiter
        if waiter.places.contains(.line) { Self.append(waiter.id, to: &lines[waiter.line, default: Queue()], waiting) }
        if waiter.places.contains(.ofClass) { Self.append(waiter.id, to: &classes[waiter.kind, default: Queue()], waiting) }
        if waiter.places.contains(.account) { Self.append(waiter.id, to: &accounts[waiter.account, default: Queue()], waiting) }
        if waiter.places.contains(.container), let container = waiter.container {
            Self.append(waiter.id, to: &containers[container, default: Queue()], waiting)
        }
        if waiter.places.contains(.bidders) {
            let bid = waiter.request.permission.bid ?? 0
            bidders.insert((bid, waiter.id), at: place(bid: bid, waiter.id))
        }
    }

    /// O(1), and O(bidders) for one of them.
    mutating func remove(_ id: WaiterID) -> Waiter? {
        guard let waiter = waiting.removeValue(forKey: id) else { return nil }
        if waiter.places.contains(.line) { Self.leave(&lines, waiter.line, waiting) { $0.places.contains(.line) } }
        if waiter.places.contains(.ofClass) { Self.leave(&classes, waiter.kind, waiting) { $0.places.contains(.ofClass) } }
        if waiter.places.contains(.account) { Self.leave(&accounts, waiter.account, waiting) { $0.places.contains(.account) } }
        if waiter.places.contains(.container), let container = waiter.container {
            Self.leave(&containers, container, waiting) { $0.places.contains(.container) && $0.container == container }
        }
        if waiter.places.contains(.bidders) {
            let place = place(bid: waiter.request.permission.bid ?? 0, id)
            if place < bidders.count, bidders[place].id == id { bidders.remove(at: place) }
        }
        return waiter
    }

    mutating func removeAll() -> [Waiter] {
        defer { self = WaiterQueues() }
        return all
    }

    // MARK: The first

    /// The one who has waited longest for this class.
    func first(of kind: Int) -> Waiter? { classes[kind]?.ids.first.flatMap { waiting[$0] } }

    /// The one who has waited longest for this container.
    func first(at container: ContainerID) -> Waiter? { containers[container]?.ids.first.flatMap { waiting[$0] } }

    /// The one who has waited longest in the lines that this round has not passed. O(lines).
    func first(_ round: Round = Round()) -> Waiter? {
        var oldest: WaiterID?
        for (line, queue) in lines where !round.passed.contains(line) {
            guard let head = queue.ids.first else { continue }
            if oldest.map({ head.number < $0.number }) ?? true { oldest = head }
        }
        return oldest.flatMap { waiting[$0] }
    }

    /// The first few of an account.
    func firstOf(account: Int, max: Int) -> [Waiter] {
        guard let queue = accounts[account] else { return [] }
        return Array(queue.ids.lazy.compactMap { self.waiting[$0] }.filter { $0.places.contains(.account) }.prefix(max))
    }

    /// The first few of a class.
    func firstOf(class kind: Int, max: Int) -> [Waiter] {
        guard let queue = classes[kind] else { return [] }
        return Array(queue.ids.lazy.compactMap { self.waiting[$0] }.filter { $0.places.contains(.ofClass) }.prefix(max))
    }

    /// The highest bidders whose bid is at least `price`.
    func firstBidders(atLeast price: Double, max: Int) -> [Waiter] {
        bidders.prefix(max).prefix { $0.bid >= price }.compactMap { waiting[$0.id] }
    }

    /// Those who wait for this container. O(their number).
    func all(at container: ContainerID) -> [Waiter] {
        guard let queue = containers[container] else { return [] }
        return queue.ids.compactMap { waiting[$0] }.filter { $0.container == container && $0.places.contains(.container) }
    }

    // MARK: -

    private static func append(_ id: WaiterID, to queue: inout Queue, _ waiting: [WaiterID: Waiter]) {
        queue.ids.append(id)
        queue.live += 1
        // Who was served out of turn leaves a gap. Gaps are closed now and then, so that memory follows who waits.
        if queue.ids.count > 64, queue.ids.count > 4 * queue.live { queue.ids.removeAll { waiting[$0] == nil } }
    }

    private static func leave<Key: Hashable>(
        _ queues: inout [Key: Queue], _ key: Key, _ waiting: [WaiterID: Waiter], _ isThere: (Waiter) -> Bool
    ) {
        guard let live = queues[key]?.live else { return }
        guard live > 1 else {
            queues[key] = nil
            return
        }
        queues[key]?.live = live - 1
        while let id = queues[key]?.ids.first, !(waiting[id].map(isThere) ?? false) { queues[key]?.ids.removeFirst() }
    }

    private func place(bid: Double, _ id: WaiterID) -> Int {
        var (low, high) = (0, bidders.count)
        while low < high {
            let middle = (low + high) / 2
            let other = bidders[middle]
            if other.bid > bid || (other.bid == bid && other.id.number < id.number) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
