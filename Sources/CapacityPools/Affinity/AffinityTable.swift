// Which container serves which routing value (STICK-06). A value of the pool's state machine: no clock, no lock, no I/O.
//
// What the table knows of a key (account, function, version, value):
//
//     unknown ──map──► mapped ──noteUse──► mapped ──map to another container──► mapped
//        ▲               │ │
//        │               │ └─ containerEnded(leavesGone) ──► gone ──map──► mapped
//        │               │                                    │
//        └── remove, containerEnded, displaced ───────────────┴── remove, the oldest of more than `goneMax`
//
//     `map` answers which way it was: `new` from unknown, `gone` from gone, `moved` from another container. A container that ends by
//     itself, or is ended by the operator or for others' sake, leaves its values gone, so that their next callers hear that state
//     was lost (STICK-14). One whose keep-alive was over leaves nothing: its next caller is new (STICK-16).
//
// One container may serve several values; a value has one container.
//
// Limits (STICK-20). A function has at most `rowsPerFunctionMax` rows; one more displaces its own least recently used. The node has at
// most `rowsMax`; one more displaces the least recently used row of the function that has the most. So a flood of values eats the
// rows of who floods, and a function with few rows keeps them whatever the others do. A displaced value is unknown; its container is
// an idle one like others.
//
// Every operation on one row is O(1): rows lie in slots of an array, linked by use within their function and among those of their
// container; functions are linked by how many rows they have.

public import EngineCore

public struct AffinityTable: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Rows of the node.
        public var rowsMax: Int
        /// Rows of one version of a function.
        public var rowsPerFunctionMax: Int
        /// Values remembered whose container is gone. Reached: the one gone longest is unknown again.
        public var goneMax: Int

        public init(rowsMax: Int = 65_536, rowsPerFunctionMax: Int = 4_096, goneMax: Int = 16_384) {
            self.rowsMax = max(1, rowsMax)
            self.rowsPerFunctionMax = max(1, rowsPerFunctionMax)
            self.goneMax = max(0, goneMax)
        }
    }

    public enum Finding: Hashable, Sendable {
        case mapped(ContainerID)
        case gone
        case unknown
    }

    /// What mapping a value has done.
    public struct Mapping: Hashable, Sendable {
        /// `new`, `gone` or `moved`; `hit` when the value had this very container already.
        public let result: AffinityDemand.Result
        /// The row that had to go.
        public let displaced: AffinityRow?
    }

    /// A key in a function's slot, which is shorter to hash than the whole.
    struct SlotKey: Hashable, Sendable {
        let function: Int
        let value: String
    }

    struct Entry: Sendable {
        var row: AffinityRow
        let function: Int
        var isGone = false
    }

    struct FunctionRows: Sendable {
        let scope: AffinityScope
        /// The least recently used first.
        var rows = SlotLinks.List()
        var rowCount = 0
        var goneCount = 0
    }

    public let limits: Limits
    var entries: [Entry?] = []
    var freeSlots: [Int] = []
    var slots: [SlotKey: Int] = [:]
    var functions: [FunctionRows?] = []
    var freeFunctions: [Int] = []
    var functionSlots: [AffinityScope: Int] = [:]
    var containers: [ContainerID: SlotLinks.List] = [:]
    /// The longest gone first.
    var gone = SlotLinks.List()
    /// Links of rows by use, and of the gone by age.
    var useLinks = SlotLinks()
    /// Links of the rows of one container.
    var containerLinks = SlotLinks()
    /// Functions by the number of their rows: element n has those with n.
    var byRowCount: [SlotLinks.List] = [SlotLinks.List()]
    var functionLinks = SlotLinks()
    public private(set) var rowCount = 0
    public private(set) var goneCount = 0

    public init(limits: Limits = Limits()) { self.limits = limits }

    // MARK: - Looking up

    public func find(_ key: AffinityKey) -> Finding {
        guard let slot = slot(key), let entry = entries[slot] else { return .unknown }
        return entry.isGone ? .gone : .mapped(entry.row.container)
    }

    public func row(_ key: AffinityKey) -> AffinityRow? {
        guard let slot = slot(key), let entry = entries[slot], !entry.isGone else { return nil }
        return entry.row
    }

    /// Whether a value is mapped to the container; calls without affinity pass over such.
    public func isMapped(_ container: ContainerID) -> Bool { containers[container] != nil }

    /// The rows of a container. O(their number).
    public func rows(of container: ContainerID) -> [AffinityRow] {
        guard let list = containers[container] else { return [] }
        return containerLinks.slots(of: list).compactMap { entries[$0]?.row }
    }

    // MARK: - Changing

    /// Lets `container` serve the value from now on, and counts the call that made it so.
    public mutating func map(_ key: AffinityKey, to container: ContainerID, now: EngineInstant) -> Mapping {
        var result = AffinityDemand.Result.new
        if let slot = slot(key), let entry = entries[slot] {
            if !entry.isGone, entry.row.container == container {
                noteUse(key, now: now)
                return Mapping(result: .hit, displaced: nil)
            }
            result = entry.isGone ? .gone : .moved
            remove(slot: slot)
        }
        let row = AffinityRow(key: key, container: container, created: now, lastUsed: now, uses: 1)
        return Mapping(result: result, displaced: insert(row))
    }

    /// The value's container serves one more call for it.
    public mutating func noteUse(_ key: AffinityKey, now: EngineInstant) {
        guard let slot = slot(key), let entry = entries[slot], !entry.isGone else { return }
        entries[slot]?.row.lastUsed = now
        entries[slot]?.row.uses += 1
        guard var list = functions[entry.function]?.rows else { return }
        useLinks.remove(slot, from: &list)
        useLinks.append(slot, to: &list)
        functions[entry.function]?.rows = list
    }

    /// The container is no more, or will serve no more.
    ///
    /// - Parameter leavesGone: whether the next callers of its values are told that it is gone; not if its keep-alive was over.
    /// - Returns: the rows that went. O(their number).
    @discardableResult
    public mutating func containerEnded(_ container: ContainerID, leavesGone: Bool) -> [AffinityRow] {
        let ended = rows(of: container)
        for row in ended {
            guard let slot = slot(row.key) else { continue }
            remove(slot: slot)
            if leavesGone { insertGone(row) }
        }
        return ended
    }

    /// Forgets a value, mapped or gone; its next caller is new.
    /// - Returns: the row, if it was mapped.
    @discardableResult
    public mutating func remove(_ key: AffinityKey) -> AffinityRow? {
        guard let slot = slot(key) else { return nil }
        let row = row(key)
        remove(slot: slot)
        return row
    }

    // MARK: - Slots

    func slot(_ key: AffinityKey) -> Int? {
        guard let function = functionSlots[key.scope] else { return nil }
        return slots[SlotKey(function: function, value: key.value)]
    }

    /// - Precondition: nothing is known of its key.
    /// - Returns: the row that went for it.
    mutating func insert(_ row: AffinityRow) -> AffinityRow? {
        let displaced = makeRoom(for: row.key.scope)
        let function = functionSlot(row.key.scope)
        let slot = newSlot(Entry(row: row, function: function))
        var list = functions[function]?.rows ?? SlotLinks.List()
        useLinks.append(slot, to: &list)
        functions[function]?.rows = list
        containerLinks.append(slot, to: &containers[row.container, default: SlotLinks.List()])
        rowCount += 1
        changeRowCount(of: function, by: 1)
        return displaced
    }

    /// - Precondition: nothing is known of its key.
    mutating func insertGone(_ row: AffinityRow) {
        guard limits.goneMax > 0 else { return }
        if goneCount >= limits.goneMax { remove(slot: gone.first) }
        let function = functionSlot(row.key.scope)
        functions[function]?.goneCount += 1
        goneCount += 1
        useLinks.append(newSlot(Entry(row: row, function: function, isGone: true)), to: &gone)
    }

    private mutating func makeRoom(for scope: AffinityScope) -> AffinityRow? {
        var victim: Int?
        if let function = functionSlots[scope], let own = functions[function], own.rowCount >= limits.rowsPerFunctionMax {
            victim = own.rows.first
        } else if rowCount >= limits.rowsMax, let largest = byRowCount.last?.first, largest >= 0 {
            victim = functions[largest]?.rows.first
        }
        guard let victim, let row = entries[victim]?.row else { return nil }
        remove(slot: victim)
        return row
    }

    private mutating func newSlot(_ entry: Entry) -> Int {
        let key = SlotKey(function: entry.function, value: entry.row.key.value)
        let slot = freeSlots.popLast() ?? entries.count
        if slot == entries.count { entries.append(entry) } else { entries[slot] = entry }
        slots[key] = slot
        return slot
    }

    private mutating func remove(slot: Int) {
        guard let entry = entries[slot] else { return }
        entries[slot] = nil
        freeSlots.append(slot)
        slots[SlotKey(function: entry.function, value: entry.row.key.value)] = nil
        if entry.isGone {
            useLinks.remove(slot, from: &gone)
            goneCount -= 1
            functions[entry.function]?.goneCount -= 1
        } else {
            if var list = functions[entry.function]?.rows {
                useLinks.remove(slot, from: &list)
                functions[entry.function]?.rows = list
            }
            if var list = containers[entry.row.container] {
                containerLinks.remove(slot, from: &list)
                containers[entry.row.container] = list.isEmpty ? nil : list
            }
            rowCount -= 1
            changeRowCount(of: entry.function, by: -1)
        }
        forgetIfEmpty(entry.function)
    }

    private mutating func functionSlot(_ scope: AffinityScope) -> Int {
        if let slot = functionSlots[scope] { return slot }
        let slot = freeFunctions.popLast() ?? functions.count
        if slot == functions.count { functions.append(FunctionRows(scope: scope)) } else { functions[slot] = FunctionRows(scope: scope) }
        functionSlots[scope] = slot
        functionLinks.append(slot, to: &byRowCount[0])
        return slot
    }

    private mutating func forgetIfEmpty(_ slot: Int) {
        guard let function = functions[slot], function.rowCount == 0, function.goneCount == 0 else { return }
        functionLinks.remove(slot, from: &byRowCount[0])
        functionSlots[function.scope] = nil
        functions[slot] = nil
        freeFunctions.append(slot)
    }

    private mutating func changeRowCount(of function: Int, by change: Int) {
        guard let count = functions[function]?.rowCount else { return }
        functionLinks.remove(function, from: &byRowCount[count])
        functions[function]?.rowCount = count + change
        if byRowCount.count == count + change { byRowCount.append(SlotLinks.List()) }
        functionLinks.append(function, to: &byRowCount[count + change])
        while byRowCount.count > 1, byRowCount.last?.isEmpty == true { byRowCount.removeLast() }
    }
}
