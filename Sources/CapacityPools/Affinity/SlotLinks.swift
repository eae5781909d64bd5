/// Doubly linked lists over the slots of an array: taking one out of the middle, adding one, and asking for the first are O(1).
///
/// A slot is in at most one list of one `SlotLinks`. The links are apart from what they link, so that one thing can be in several
/// lists, one for each `SlotLinks`.
struct SlotLinks: Sendable {
    struct List: Hashable, Sendable {
        /// The slot that was added first, or -1.
        fileprivate(set) var first = -1
        fileprivate(set) var last = -1

        var isEmpty: Bool { first < 0 }
    }

    private(set) var before: [Int] = []
    private(set) var after: [Int] = []

    mutating func append(_ slot: Int, to list: inout List) {
        while before.count <= slot {
            before.append(-1)
            after.append(-1)
        }
        before[slot] = list.last
        after[slot] = -1
        if list.last < 0 { list.first = slot } else { after[list.last] = slot }
        list.last = slot
    }

    /// - Precondition: `slot` is in `list`.
    mutating func remove(_ slot: Int, from list: inout List) {
        let (left, right) = (before[slot], after[slot])
        if left < 0 { list.first = right } else { after[left] = right }
        if right < 0 { list.last = left } else { before[right] = left }
    }

    /// The slots of a list, the first added first. O(length).
    func slots(of list: List) -> [Int] {
        var slots: [Int] = []
        var slot = list.first
        while slot >= 0 {
            slots.append(slot)
            slot = after[slot]
        }
        return slots
    }
}
