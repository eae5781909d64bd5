import EngineCore
import Foundation

/// How many regions the forwarded calls of each version are worth. A value without a clock; bounded.
///
/// A version gets one region more when its calls exceed what its regions are enough for, and loses one when the others are enough for
/// twice its calls; in between it keeps what it has.
struct ReplicationDemand: Sendable {
    private struct Row {
        /// Calls, each counting half after a half-life.
        var calls = 0.0
        var at: EngineInstant
        /// Beyond the configured breadth.
        var extra = 0
    }

    private var rows: [String: Row] = [:]
    private let configuration: ReplicationConfiguration

    init(configuration: ReplicationConfiguration) { self.configuration = configuration }

    var count: Int { rows.count }

    /// A call of the revision was forwarded. O(1), and O(rows log rows) once in many.
    mutating func note(_ revision: String, now: EngineInstant) {
        var row = rows[revision] ?? Row(at: now)
        row.calls = calls(row, now: now) + 1
        row.at = now
        rows[revision] = row
        if rows.count > configuration.demandsMax { forgetOldest() }
    }

    /// The regions that are to hold the revision, of `all`. O(all).
    mutating func breadth(_ revision: String, all: Int, now: EngineInstant) -> Int {
        let base = min(configuration.breadth, all)
        guard var row = rows[revision] else { return base }
        // A steady rate r makes a count of r × half-life / ln 2.
        let perMinute = calls(row, now: now) * log(2) / configuration.demandHalfLife.inSeconds * 60
        while base + row.extra < all, perMinute > configuration.callsPerRegion * Double(base + row.extra) { row.extra += 1 }
        while row.extra > 0, perMinute < configuration.callsPerRegion * Double(base + row.extra - 1) / 2 { row.extra -= 1 }
        rows[revision] = row
        return min(base + row.extra, all)
    }

    private func calls(_ row: Row, now: EngineInstant) -> Double {
        row.calls * exp2(-max(0, (now - row.at).inSeconds) / configuration.demandHalfLife.inSeconds)
    }

    /// Forgets the eighth that was called longest ago, so that many calls sort once.
    private mutating func forgetOldest() {
        let order = rows.sorted { $0.value.at < $1.value.at }
        for (revision, _) in order.prefix(max(1, rows.count / 8)) { rows[revision] = nil }
    }
}
