internal import EngineCore
internal import Foundation

/// The record of one invocation as a person reads it: what was decided and why, and where the time went.
struct InvocationTimeline {
    let record: InvocationRecord

    /// The width of the longest bar, in characters.
    private static let barWidth = 40

    func render() -> String {
        var lines = [
            "\(record.requestID)  \(record.functionARN):\(record.version)",
            "  \(record.decision.rawValue) at \(record.site ?? "-"), because \(record.reason.rawValue)"
                + (record.startLevel.map { ", start \($0.rawValue)" } ?? ""),
            "  \(record.outcome.rawValue), ended by \(record.endingParty.rawValue)" + (record.errorType.map { " (\($0))" } ?? ""),
        ]
        if let forwardedBy = record.forwardedBy { lines.append("  came from \(forwardedBy), hop \(record.hops)") }
        if let capacity = record.capacity { lines += Self.capacity(capacity).map { "  \($0)" } }
        if let regions = record.regions { lines += Self.regions(regions, width: Terminal.columns - 2).map { "  \($0)" } }
        lines += bars(record.spans, indent: "  ", node: record.node)
        if let remote = record.remote {
            lines.append(
                "  there: \(remote.node), because \(remote.reason.rawValue)" + (remote.startLevel.map { ", start \($0.rawValue)" } ?? ""))
            if let capacity = remote.capacity { lines += Self.capacity(capacity).map { "    \($0)" } }
            lines += bars(remote.spans, indent: "    ", node: remote.node)
        }
        let peak = record.memoryPeak.map { "\($0) of " } ?? ""
        lines.append(
            "  memory \(peak)\(record.memoryLimit), request \(ByteCount(record.requestByteCount)), "
                + "response \(ByteCount(record.responseByteCount))")
        return lines.joined(separator: "\n")
    }

    /// How it came by its container, or why it did not, in sentences.
    static func capacity(_ capacity: InvocationRecord.Capacity) -> [String] {
        var lines: [String] = []
        if let container = capacity.container {
            let way = capacity.branch.map { ", \(CapacityWords.way($0))" } ?? ""
            let instance = capacity.instance.map { " in instance \($0)" } ?? ""
            lines.append("container \(container)\(instance)" + (capacity.subPool.map { " of \($0)" } ?? "") + way)
        }
        if let wait = capacity.waitedFor { lines.append("waited for \(CapacityWords.wait(wait))") }
        if let refusal = capacity.refusal { lines.append("got no capacity: \(CapacityWords.refusal(refusal))") }
        if let cause = capacity.coldCause { lines.append("began cold, because \(CapacityWords.cause(cause))") }
        if let affinity = capacity.affinity {
            let value = affinity.value.map { " '\(Terminal.printable($0))'" } ?? ""
            let remarks = [affinity.isOverflow ? "its container was busy" : nil, affinity.tokenIsVoid ? "the token was void" : nil]
            lines.append(
                "routed by \(affinity.source.rawValue)\(value): \(affinity.result.rawValue)"
                    + remarks.compactMap { $0.map { ", \($0)" } }.joined())
        }
        return lines
    }

    private func bars(_ spans: InvocationRecord.Spans, indent: String, node: String) -> [String] {
        let parts: [(String, Double)] = [
            ("decide", spans.decide), ("wait", spans.wait), ("fetch", spans.fetch), ("start", spans.start), ("thaw", spans.thaw),
            ("initialise", spans.initialise), ("run", spans.run), ("forward", spans.forward),
        ]
        var offset = 0.0
        var lines: [String] = []
        let scale = spans.total > 0 ? Double(Self.barWidth) / spans.total : 0
        for (name, value) in parts where value > 0 {
            let start = min(Int(offset * scale), Self.barWidth - 1)
            let length = max(1, min(Int((value * scale).rounded()), Self.barWidth - start))
            let bar = String(repeating: " ", count: start) + String(repeating: "▇", count: length)
            lines.append("\(indent)\(Self.padded(name, 11))\(Self.milliseconds(value))  \(bar)")
            offset += value
        }
        lines.append("\(indent)\(Self.padded("total", 11))\(Self.milliseconds(spans.total))  at \(node)")
        return lines
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func milliseconds(_ value: Double) -> String { String(format: "%9.3f ms", value) }
}
