// What a region knows of the versions it holds and has received calls of, in the order in which that changed.
//
//     rows   revision → latest state, with the number of the change that made it so
//     log    (number, revision), ascending; an entry whose number is no longer its row's is skipped
//
// A reader asks for what changed after a number it has, and gets the latest state of each row once, those that changed first first: so
// it can stop anywhere and go on from the last number it got. Newest first would need no second line for what matters most, but a reader
// that stops there would never learn the rest.
//
// The log is rebuilt without its dead entries when these outnumber the living ones, so it is at most twice as long as there are rows.

public import EngineCore

/// Which calls a region has received, how recently, and which versions it holds. Bounded; a value without clock or lock.
public struct ReceiveHistory: Sendable {
    struct Row: Sendable {
        let identity: VersionIdentity
        /// Not before a call came or a peer sent it.
        var version: PinnedVersion?
        var sequence: UInt64 = 0
        var isHeld = false
        var calls: UInt64 = 0
        var lastReceived: EngineInstant?
        /// Idle containers when this state was first told; all readers are told the same.
        var idle = 0
        var isTold = false
        var coldStart: Double?
        var run: Double?
    }

    /// The last change.
    public private(set) var sequence: UInt64 = 0
    private let rowsMax: Int
    private var rows: [String: Row] = [:]
    private var log: [(sequence: UInt64, revision: String)] = []
    /// Rows that were told to have idle containers.
    private var warm: Set<String> = []

    /// What a new measurement counts for in the times of a row.
    private static let measurementShare = 0.3

    /// - Parameter rowsMax: beyond, the row that changed longest ago is forgotten: readers then learn that its version is held from
    ///   their next call of it.
    public init(rowsMax: Int = 16_384) {
        precondition(rowsMax > 0, "A history has room for a row.")
        self.rowsMax = rowsMax
    }

    public var count: Int { rows.count }

    // MARK: - What happens

    /// A call has come. It is proof that the version is held.
    /// - Parameter version: what runs: another than was asked for where the two are alike.
    public mutating func received(_ identity: VersionIdentity, running version: PinnedVersion, now: EngineInstant) {
        change(identity) { row in
            row.version = version
            row.isHeld = true
            row.calls += 1
            row.lastReceived = now
        }
    }

    /// A call has been answered.
    /// - Parameters:
    ///   - coldStart: milliseconds from nothing to the function's code; `nil` if a container was idle.
    ///   - run: milliseconds in the handler.
    public mutating func answered(_ identity: VersionIdentity, coldStart: Double?, run: Double) {
        change(identity) { row in
            if let coldStart { row.coldStart = Self.blend(row.coldStart, coldStart) }
            row.run = Self.blend(row.run, run)
        }
    }

    public mutating func hold(_ identity: VersionIdentity) {
        guard rows[identity.revision]?.isHeld != true else { return }
        change(identity) { $0.isHeld = true }
    }

    /// The version or its package is not there, or no more.
    public mutating func drop(revision: String) {
        guard let row = rows[revision], row.isHeld else { return }
        change(row.identity) { $0.isHeld = false }
    }

    /// Notes which rows have other idle containers than was told last. O(rows told to have any).
    public mutating func refresh(idle: (PinnedVersion) -> Int) {
        for revision in warm {
            guard let row = rows[revision], let version = row.version, row.isTold, row.idle != idle(version) else { continue }
            change(row.identity) { _ in }
        }
    }

    /// When a call of the revision came last; `nil`: never, or that is forgotten. O(1).
    func lastReceived(revision: String) -> EngineInstant? { rows[revision]?.lastReceived }

    // MARK: - What is told

    /// The rows that changed after `since`, those that changed first first.
    /// - Returns: the rows; the last change they cover; whether there are more.
    /// - Complexity: O(log rows + limit + changes since that were overtaken).
    mutating func changes(
        since: UInt64, limit: Int, idle: (PinnedVersion) -> Int
    ) -> (rows: [Row], sequence: UInt64, more: Bool) {
        var found: [Row] = []
        var covered = since
        var index = firstIndex(after: since)
        while index < log.count {
            let entry = log[index]
            index += 1
            guard var row = rows[entry.revision], row.sequence == entry.sequence else { continue }
            guard found.count < limit else { return (found, covered, true) }
            if !row.isTold {
                row.idle = row.version.map { max(0, idle($0)) } ?? 0
                row.isTold = true
                if row.idle > 0 { warm.insert(entry.revision) } else { warm.remove(entry.revision) }
                rows[entry.revision] = row
            }
            found.append(row)
            covered = entry.sequence
        }
        return (found, max(since, sequence), false)
    }

    /// Binary search: the log ascends.
    private func firstIndex(after since: UInt64) -> Int {
        var (low, high) = (0, log.count)
        while low < high {
            let middle = (low + high) / 2
            if log[middle].sequence <= since { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: -

    private mutating func change(_ identity: VersionIdentity, _ body: (inout Row) -> Void) {
        sequence += 1
        var row = rows[identity.revision] ?? Row(identity: identity)
        body(&row)
        row.sequence = sequence
        row.isTold = false
        rows[identity.revision] = row
        log.append((sequence, identity.revision))
        if rows.count > rowsMax { forgetOldest() }
        if log.count > 2 * rows.count + 16 { log.removeAll { rows[$0.revision]?.sequence != $0.sequence } }
    }

    /// Forgets an eighth of the rows at once, so that the log is gone through once for many.
    private mutating func forgetOldest() {
        var excess = max(1, rows.count / 8)
        log.removeAll { entry in
            guard rows[entry.revision]?.sequence == entry.sequence else { return true }
            guard excess > 0 else { return false }
            excess -= 1
            rows[entry.revision] = nil
            warm.remove(entry.revision)
            return true
        }
    }

    private static func blend(_ old: Double?, _ new: Double) -> Double {
        old.map { $0 + (new - $0) * measurementShare } ?? new
    }
}
