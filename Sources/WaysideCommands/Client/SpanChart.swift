internal import EngineCore
internal import Foundation

/// Where the time of one invocation went: bars on one line of time, the parts of a node below it, a region's below the POP's.
///
/// No two clocks are compared. What a region took lies in the middle of the time for which the POP waited for it, as if both ways took
/// equally long; seen from the region, the way to it is half of the round trip that the POP expected.
struct SpanChart {
    /// A part of the time, in milliseconds from the arrival at the first node.
    struct Row {
        var name: String
        /// 0 for a node that a client called.
        var depth: Int
        var began: Double
        var took: Double
        /// What lies in its middle and belongs to other rows.
        var gap = 0.0
        /// Not measured, but taken for granted.
        var isExpected = false
    }

    private(set) var rows: [Row] = []

    init(_ record: InvocationRecord) {
        var began = 0.0
        if let origin = record.origin, let sender = record.forwardedBy {
            let way = (origin.choice?.roundTrip ?? 0) / 2
            began = origin.elapsed + way
            rows.append(Row(name: sender, depth: 0, began: 0, took: began + record.spans.total, isExpected: true))
            rows.append(Row(name: "decide", depth: 1, began: 0, took: origin.elapsed))
            if way > 0 { rows.append(Row(name: "way", depth: 1, began: origin.elapsed, took: way, isExpected: true)) }
        }
        add(record.node, record.spans, record.tries ?? [], depth: rows.isEmpty ? 0 : 1, began: began)
        guard let remote = record.remote else { return }
        let sent = began + record.spans.total - record.spans.forward
        let way = max(0, record.spans.forward - remote.spans.total)
        // What was forward in one piece is now told in two.
        rows.removeAll { $0.name == "forward" }
        rows.append(Row(name: "way", depth: 1, began: sent, took: way, gap: remote.spans.total))
        add(remote.node, remote.spans, [], depth: 1, began: sent + way / 2)
    }

    /// A node and its parts, one after the other.
    private mutating func add(_ node: String, _ spans: InvocationRecord.Spans, _ tries: [InvocationTry], depth: Int, began: Double) {
        rows.append(Row(name: node, depth: depth, began: began, took: spans.total))
        var now = began
        func part(_ name: String, _ took: Double) {
            if took > 0 { rows.append(Row(name: name, depth: depth + 1, began: now, took: took)) }
            now += took
        }
        part("decide", spans.decide)
        for attempt in tries {
            now = max(now, began + attempt.began)
            part("try \(attempt.node)", attempt.took)
        }
        for (name, took) in [
            ("wait", spans.wait), ("fetch", spans.fetch), ("start", spans.start), ("thaw", spans.thaw), ("initialise", spans.initialise),
            ("run", spans.run), ("forward", spans.forward),
        ] {
            part(name, took)
        }
    }

    /// - Parameter width: columns of the whole; bars take what names and numbers leave, at least 10.
    func render(width: Int) -> [String] {
        let labels = rows.map { String(repeating: "  ", count: $0.depth) + Terminal.printable($0.name) }
        let labelWidth = labels.map(Terminal.places).max() ?? 0
        let barWidth = max(10, width - labelWidth - Self.numberWidth - 3)
        let total = rows.map { $0.began + $0.took + $0.gap }.max() ?? 0
        let scale = total > 0 ? Double(barWidth) / total : 0
        return zip(rows, labels).map { row, label in
            let start = min(Int(row.began * scale), barWidth - 1)
            let places = max(1, min(Int(((row.took + row.gap) * scale).rounded()), barWidth - start))
            let gap = max(0, min(Int(row.gap * scale), places - 2))
            let mark = row.isExpected ? "░" : "▇"
            let half = (places - gap) / 2
            let bar =
                String(repeating: " ", count: start) + String(repeating: mark, count: gap > 0 ? half : places)
                + (gap > 0 ? String(repeating: " ", count: gap) + String(repeating: mark, count: places - gap - half) : "")
            let number = String(format: "%@%.3f ms", row.isExpected ? "~" : "", row.took)
            return label + String(repeating: " ", count: labelWidth - Terminal.places(label) + 1)
                + String(repeating: " ", count: max(0, Self.numberWidth - number.count)) + number + "  " + bar
        }
    }

    /// Room for a call of a quarter of an hour: `900000.000 ms`.
    private static let numberWidth = 13
}
