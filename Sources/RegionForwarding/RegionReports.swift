// What a POP knows of one region: what the region has told, and what its answers have shown.
//
//     held    told, and not contradicted since; or shown by a call that ran or a version that was taken
//     warm    told only: when a call of the version came there last, and how many containers were idle then
//
// An answer is worth more than a report: a region that has just answered `version_not_held` is not asked for the version again, whatever
// it has told, until it tells of it anew (a later sequence). What a report says of a version's warmth counts only while reports come;
// that a version is held counts until something says otherwise, for it is checked by every call.

import EngineCore
import Placement

/// One region's reports as a POP has them. Bounded; a value without clock or lock.
struct RegionReports: Sendable {
    struct Row: Sendable {
        var told: RegionReport.Row
        var toldAt: EngineInstant
    }

    private(set) var epoch: String?
    /// The last change the region has told of.
    private(set) var sequence: UInt64 = 0
    private(set) var toldAt: EngineInstant?
    private(set) var load = 0.0
    private(set) var isSaturated = false
    private(set) var isDraining = false
    private(set) var rows: [String: Row] = [:]
    /// Versions shown to be held, and those shown not to be, with the last change that had been told then.
    private var shownHeld: [String: UInt64] = [:]
    private var shownMissing: [String: UInt64] = [:]
    private let rowsMax: Int

    init(rowsMax: Int) { self.rowsMax = rowsMax }

    // MARK: - What comes

    /// Takes a report in. Another epoch makes everything known before void: the process has begun anew.
    mutating func note(_ report: RegionReport, now: EngineInstant) {
        if epoch != report.epoch {
            let kept = epoch == nil ? (shownHeld, shownMissing) : ([:], [:])
            self = RegionReports(rowsMax: rowsMax)
            (shownHeld, shownMissing) = kept
            epoch = report.epoch
        }
        sequence = max(sequence, report.sequence)
        toldAt = now
        load = min(max(report.load, 0), 1)
        isSaturated = report.saturated
        isDraining = report.draining
        for row in report.rows {
            if let shown = shownMissing[row.revision], row.sequence > shown { shownMissing[row.revision] = nil }
            if !row.held, let shown = shownHeld[row.revision], row.sequence > shown { shownHeld[row.revision] = nil }
            rows[row.revision] = Row(told: row, toldAt: now)
        }
        if rows.count > rowsMax { forgetOldest() }
    }

    /// The region has run a call of the version or has taken the version.
    mutating func showHeld(_ revision: String) {
        shownMissing[revision] = nil
        Self.remember(revision, sequence, in: &shownHeld, max: rowsMax)
    }

    /// The region has answered that it does not hold the version.
    mutating func showMissing(_ revision: String) {
        shownHeld[revision] = nil
        Self.remember(revision, sequence, in: &shownMissing, max: rowsMax)
    }

    /// The region has been out of reach: whatever it was warm for, it may have begun anew since. Its reports count as missing until the
    /// next line.
    mutating func lost() { toldAt = nil }

    /// Has everything told again: another certificate of this node may permit to know of more, which need not have changed since.
    mutating func beginAnew() { sequence = 0 }

    // MARK: - What is known

    /// O(1).
    func holds(_ revision: String) -> Bool {
        guard shownMissing[revision] == nil else { return false }
        return shownHeld[revision] != nil || rows[revision]?.told.held == true
    }

    /// Since the last line; `nil` when none has come.
    func age(now: EngineInstant) -> Duration? { toldAt.map { now - $0 } }

    /// Whether the last line is newer than a probe's answer at `instant`.
    func isNewer(than instant: EngineInstant?) -> Bool {
        guard let toldAt else { return false }
        return instant.map { $0 <= toldAt } ?? true
    }

    /// What it has told of its calls of a version; `nil`: it has received none. O(1).
    func history(_ revision: String, now: EngineInstant) -> RegionCandidate.History? {
        guard let row = rows[revision], let lastReceived = row.told.lastReceived else { return nil }
        return RegionCandidate.History(
            lastReceived: lastReceived / 1000 + (now - row.toldAt).inSeconds, idleContainers: row.told.idle)
    }

    // MARK: -

    /// Forgets the eighth that changed longest ago, so that many changes sort once.
    private mutating func forgetOldest() {
        let order = rows.values.sorted { $0.told.sequence < $1.told.sequence }
        for row in order.prefix(rows.count - rowsMax + rowsMax / 8) { rows[row.told.revision] = nil }
    }

    private static func remember(_ revision: String, _ sequence: UInt64, in shown: inout [String: UInt64], max: Int) {
        // What is forgotten is asked again, at the price of one answer.
        if shown.count >= max, shown[revision] == nil { shown.removeAll() }
        shown[revision] = sequence
    }
}
