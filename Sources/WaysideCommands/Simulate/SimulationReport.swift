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
        let waits = points.contains { $0.result.waitedPart > 0 }
        let spares = points.contains { $0.result.ready > 0 || $0.result.sparePart > 0 }
        let drops = points.contains { $0.result.droppedPart > 0 }
        var table = Table(
            header: ["  GIB", "WARM %", "COLD %"] + (spares ? ["SPARE %", "READY"] : []) + ["FWD %"] + (waits ? ["WAIT %"] : [])
                + (drops ? ["DROP %"] : []) + ["MEAN MS", "P50", "P99", "GIB HELD"])
        for point in points {
            let result = point.result
            let parts =
                [result.hitPart * 100, result.coldPart * 100] + (spares ? [result.sparePart * 100, result.ready] : [])
                + [result.forwardedPart * 100] + (waits ? [result.waitedPart * 100] : [])
                + (drops ? [result.droppedPart * 100] : [])
            let times = [result.meanLatency, result.medianLatency, result.latency99].map { Self.number($0 * 1000) }
            table.rows.append(
                [(point == knee ? "* " : "  ") + String(format: "%g", point.gigabytes)] + parts.map { Self.number($0) } + times
                    + [Self.number(result.heldGigabytes)])
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
        return "\(comparison.policy), \(String(format: "%g", comparison.gigabytes)) GiB, \(comparison.comparison.calls) calls\n"
            + table.render()
    }

    private static func number(_ value: Double) -> String {
        String(format: value >= 100 ? "%.0f" : value >= 1 ? "%.2f" : "%.3f", value)
    }
}
