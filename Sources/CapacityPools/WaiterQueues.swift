internal import DequeModule
internal import EngineCore

/// Who waits for capacity, in the order of their coming.
///
/// One queue for all would either let a head that cannot be placed stand before the others, or have each release look at everybody.
/// What can be placed depends on its size. So those of one size wait in one line, in which the first speaks for all, and a
/// release looks at the heads of the lines, the oldest first. Sizes are lumped by powers of two, so that there are few lines,
/// whatever sizes functions have; within one, a larger function lets a smaller one wait rather than the smaller starve it.
///
/// A container that is given back suits its own class best; so the waiters of each class are known in their order as well.
struct WaiterQueues: Sendable {
    fileprivate struct Line: Hashable {
        let runtime: String
        let usesSpares: Bool
        let magnitude: Int

        init(_ kind: ContainerClass) {
            runtime = kind.runtime
            usesSpares = kind.usesSpares
            magnitude = Int.bitWidth - kind.memory.mebibytesRoundedUp.leadingZeroBitCount
        }
    }

    struct Waiter: Sendable {
        let id: WaiterID
        let kind: ContainerClass
        let since: EngineInstant
    }

    /// What a round of looking at the heads has found out: the lines that cannot be served now.
    struct Round {
        fileprivate var passed: Set<Line> = []
        mutating func pass(_ waiter: Waiter) { passed.insert(Line(waiter.kind)) }
    }

    /// Those who still wait; who is not in it is skipped in line.
    private var waiting: Set<WaiterID> = []
    private var lines: [Line: Deque<Waiter>] = [:]
    private var classes: [ContainerClass: Deque<WaiterID>] = [:]

    var count: Int { waiting.count }
    var isEmpty: Bool { waiting.isEmpty }

    func hasAny(of kind: ContainerClass) -> Bool { classes[kind] != nil }

    mutating func append(_ waiter: Waiter) {
        let line = Line(waiter.kind)
        waiting.insert(waiter.id)
        lines[line, default: []].append(waiter)
        classes[waiter.kind, default: []].append(waiter.id)
        // Who was served out of turn leaves a gap. Gaps are closed now and then, so that memory follows who waits.
        if let length = lines[line]?.count, length > 64, length > 2 * waiting.count { lines[line]?.removeAll { !waiting.contains($0.id) } }
    }

    /// O(classes and the waiters of one): seldom, when somebody gives up.
    /// - Returns: whether it was there.
    mutating func remove(_ waiter: WaiterID) -> Bool {
        guard waiting.remove(waiter) != nil else { return false }
        guard let kind = classes.first(where: { $0.value.contains(waiter) })?.key else { return true }
        classes[kind]?.removeAll { $0 == waiter }
        if classes[kind]?.isEmpty == true { classes[kind] = nil }
        return true
    }

    /// The one who has waited longest for this class. O(1).
    mutating func popFirst(of kind: ContainerClass) -> WaiterID? {
        guard let waiter = classes[kind]?.popFirst() else { return nil }
        if classes[kind]?.isEmpty == true { classes[kind] = nil }
        waiting.remove(waiter)
        return waiter
    }

    /// The one who has waited longest in the lines that this round has not passed. O(lines).
    mutating func first(_ round: Round = Round()) -> Waiter? {
        var oldest: Waiter?
        for line in lines.keys where !round.passed.contains(line) {
            while let head = lines[line]?.first, !waiting.contains(head.id) { lines[line]?.removeFirst() }
            guard let head = lines[line]?.first else {
                lines[line] = nil
                continue
            }
            if oldest.map({ head.id.number < $0.id.number }) ?? true { oldest = head }
        }
        return oldest
    }

    mutating func removeAll() -> [WaiterID] {
        defer { self = WaiterQueues() }
        return waiting.sorted { $0.number < $1.number }
    }
}
