public import EngineCore

// Looking at the whole table, writing it down, and taking it over.
extension AffinityTable {
    /// The rows in some of the slots, as far as these are used. O(slots).
    func rows(inSlots slots: Range<Int>) -> [AffinityRow] {
        entries[slots.clamped(to: entries.indices)].compactMap { entry in entry.flatMap { $0.isGone ? nil : $0.row } }
    }

    /// The rows, the last used first.
    ///
    /// - Parameters:
    ///   - function: only those of this function, of whatever version.
    ///   - container: only those of this container.
    ///   - limit: at most as many.
    /// - Complexity: O(n log n) over the rows; for the operator.
    public func list(function: FunctionKey? = nil, container: ContainerID? = nil, limit: Int = .max) -> [AffinityRow] {
        let rows = container.map { self.rows(of: $0) } ?? self.rows(inSlots: entries.indices)
        return Array(
            rows.filter { function == nil || $0.key.scope.function == function }
                .sorted { ($1.lastUsed, $0.key.value) < ($0.lastUsed, $1.key.value) }
                .prefix(max(0, limit)))
    }

    /// The rows for the next process, the least recently used first. O(n log n).
    public func saved(now: EngineInstant) -> [SavedAffinityRow] {
        list().reversed().map { SavedAffinityRow($0, now: now) }
    }

    /// Takes over the rows of the process before, within this one's limits. Of those whose container is not here any more, the next
    /// caller is told that it is gone.
    ///
    /// - Parameters:
    ///   - saved: as ``saved(now:)`` gave them.
    ///   - lives: whether the container was adopted, with the same number, for the row's version.
    public mutating func restore(_ saved: [SavedAffinityRow], now: EngineInstant, lives: (SavedAffinityRow) -> Bool) {
        for saved in saved.sorted(by: { $0.idleMilliseconds > $1.idleMilliseconds }) {
            let row = saved.row(now: now)
            guard find(row.key) == .unknown, row.key.value.utf8.count <= AffinityDemand.valueBytesMax else { continue }
            if lives(saved) { _ = insert(row) } else { insertGone(row) }
        }
    }

    /// What is wrong with the table's books; `nil` when nothing is. O(n); for tests and samples.
    public func brokenInvariant() -> String? {
        var rows = 0
        var gone = 0
        for (slot, entry) in entries.enumerated() {
            guard let entry else { continue }
            if entry.isGone { gone += 1 } else { rows += 1 }
            if self.slot(entry.row.key) != slot { return "the row of \(entry.row.key.value) is not found by its key" }
        }
        guard rows == rowCount, gone == goneCount else { return "\(rows) rows and \(gone) gone are counted \(rowCount) and \(goneCount)" }
        guard slots.count == rows + gone else { return "\(slots.count) keys lead to \(rows + gone) rows" }
        guard rows <= limits.rowsMax, gone <= limits.goneMax else { return "\(rows) rows or \(gone) gone are more than permitted" }
        guard useLinks.slots(of: self.gone).count == gone else { return "the list of the gone does not have \(gone)" }
        var linked = 0
        for (number, function) in functions.enumerated() {
            guard let function else { continue }
            let slots = useLinks.slots(of: function.rows)
            let used = slots.compactMap { entries[$0]?.row.lastUsed }
            guard slots.count == function.rowCount, used.count == slots.count, used == used.sorted() else {
                return "the rows of \(function.scope.function.name) are not linked by their use"
            }
            guard function.rowCount <= limits.rowsPerFunctionMax else { return "\(function.scope.function.name) has too many rows" }
            guard functionLinks.slots(of: byRowCount[function.rowCount]).contains(number) else {
                return "\(function.scope.function.name) is not among the functions with \(function.rowCount) rows"
            }
            linked += slots.count
        }
        let ofContainers = containers.mapValues { containerLinks.slots(of: $0) }
        let mapped = ofContainers.values.reduce(0) { $0 + $1.count }
        guard linked == rows, mapped == rows else { return "\(linked) and \(mapped) rows are linked, not \(rows)" }
        for (container, slots) in ofContainers {
            guard !slots.isEmpty, slots.allSatisfy({ entries[$0]?.row.container == container }) else {
                return "the rows of container \(container.number) are not its own"
            }
        }
        return nil
    }
}
