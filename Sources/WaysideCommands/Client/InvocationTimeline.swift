internal import EngineCore
internal import Foundation

/// The record of one invocation as a person reads it: what was decided and why, and where the time went.
struct InvocationTimeline {
    let record: InvocationRecord
    /// Columns for sentences and bars, and for tables.
    var columns = Terminal.columns
    var tableColumns: Int? = Terminal.width

    /// Where the texts begin.
    private static let labelWidth = 11

    func render() -> String {
        var text = Paragraph(width: columns - 2, labelWidth: Self.labelWidth)
        text.add(
            record.decision.rawValue,
            "at \(record.site ?? "-"), because \(record.reason.rawValue)" + (record.startLevel.map { ", start \($0.rawValue)" } ?? ""))
        text.add("end", "\(record.outcome.rawValue), by \(record.endingParty.rawValue)" + (record.errorType.map { " (\($0))" } ?? ""))
        if let sender = record.forwardedBy {
            text.add("from", each: record.origin.map { Self.origin($0, from: sender) } ?? [sender])
            text.add("hop", "\(record.hops)")
        }
        if let placement = record.placement { text.add("decided", each: Self.inputs(placement)) }
        if let tries = record.tries { text.add("tried", each: tries.map(Self.attempt)) }
        if let capacity = record.capacity { text.add("capacity", each: Self.capacity(capacity)) }
        if let remote = record.remote {
            text.add("there", each: ["\(remote.node), because \(remote.reason.rawValue)"] + (remote.capacity.map(Self.capacity) ?? []))
        }
        let peak = record.memoryPeak.map { "\($0) of " } ?? ""
        text.add(
            "size",
            "memory \(peak)\(record.memoryLimit), request \(ByteCount(record.requestByteCount)), "
                + "response \(ByteCount(record.responseByteCount))")
        let regions = record.regions.map { Self.regions($0, width: tableColumns.map { $0 - 2 }) } ?? []
        let body = text.lines + regions + SpanChart(record).render(width: columns - 2)
        return (["\(record.requestID)  \(record.functionARN):\(record.version)"] + body.map { "  \($0)" }).joined(separator: "\n")
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
}
