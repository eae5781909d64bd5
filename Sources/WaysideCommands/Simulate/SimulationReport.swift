internal import Foundation
internal import Simulation

/// What `wayside simulate` prints: a table to each policy, within 80 columns; all numbers in JSON.
struct SimulationReport {
    /// A recording beside its replay with one policy and size.
    struct Comparison: Encodable {
        let policy: String
        let gigabytes: Double
        let comparison: ReplayComparison
    }

    let sweep: Sweep
    let comparisons: [Comparison]

    private struct Document: Encodable {
        let points: [Sweep.Point]
        let comparisons: [Comparison]
    }

    /// The points alone where nothing is compared.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let data =
            comparisons.isEmpty
            ? try encoder.encode(sweep.points) : try encoder.encode(Document(points: sweep.points, comparisons: comparisons))
        return String(decoding: data, as: UTF8.self)
    }

    var text: String {
        var parts = sweep.policies.map { "\($0)\n\(table($0))" }
        if sweep.policies.contains(where: { sweep.knee(of: $0) != nil }) {
            parts.append("* the knee: beyond this size more memory brings little.")
        }
        return (parts + comparisons.map(comparison)).joined(separator: "\n\n")
    }

    private func table(_ policy: String) -> String {
        let points = sweep.points(of: policy)
        let knee = sweep.knee(of: policy)
        // Columns in which all is 0 are left out: calls are forwarded or dropped, seldom both, and not every pool has ready instances.
        let columns: [(name: String, isAlways: Bool, value: (ReplayResult) -> Double)] = [
            ("WARM%", true, { $0.hitPart * 100 }), ("COLD%", true, { $0.coldPart * 100 }), ("SPARE%", false, { $0.sparePart * 100 }),
            ("READY", false, \.ready), ("FWD%", false, { $0.forwardedPart * 100 }), ("WAIT%", false, { $0.waitedPart * 100 }),
            ("DROP%", false, { $0.droppedPart * 100 }), ("MEAN", true, { $0.meanLatency * 1000 }),
            ("P50", true, { $0.medianLatency * 1000 }), ("P99", true, { $0.latency99 * 1000 }), ("HELD", true, \.heldGigabytes),
        ]
        let shown = columns.filter { column in column.isAlways || points.contains { column.value($0.result) > 0 } }
        let hasBounds = points.contains { $0.bound != nil }
        var table = Table(header: ["  GIB"] + shown.map(\.name) + (hasBounds ? ["BOUND", "/BOUND"] : []))
        for point in points {
            let size = (point == knee ? "* " : "  ") + String(format: "%.4g", point.gigabytes)
            let bound = point.bound.map { [Self.number($0 * 1000), Self.number(point.result.meanLatency / max($0, 1e-9))] }
            table.rows.append([size] + shown.map { Self.number($0.value(point.result)) } + (bound ?? []))
        }
        return table.render()
    }

    private func comparison(_ comparison: Comparison) -> String {
        let (recorded, replayed) = (comparison.comparison.recorded, comparison.comparison.simulated)
        var table = Table(header: ["", "RECORDED", "SIMULATED", "DIFFERENCE"])
        func row(_ name: String, _ part: (ReplayComparison.Side) -> Double, times factor: Double) {
            let (one, other) = (part(recorded) * factor, part(replayed) * factor)
            table.rows.append([name, Self.number(one), Self.number(other), String(format: "%+.3f", other - one)])
        }
        row("warm %", \.warmPart, times: 100)
        row("cold %", \.coldPart, times: 100)
        row("forwarded %", \.forwardedPart, times: 100)
        row("refused %", \.refusedPart, times: 100)
        row("added ms", \.meanAdded, times: 1000)
        row("added ms, p50", \.medianAdded, times: 1000)
        row("added ms, p99", \.added99, times: 1000)
        return "\(comparison.policy), \(String(format: "%.4g", comparison.gigabytes)) GiB, \(comparison.comparison.calls) calls\n"
            + table.render()
    }

    private static func number(_ value: Double) -> String {
        String(format: value >= 100 ? "%.0f" : value >= 1 ? "%.2f" : "%.3f", value)
    }
}
