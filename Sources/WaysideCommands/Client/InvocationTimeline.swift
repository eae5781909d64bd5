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

    /// What came of it, where and why; then what went wrong on the way, then what it was decided with, and where the time went.
    func render() -> String {
        var text = Paragraph(width: columns - 2, labelWidth: Self.labelWidth)
        let total = RegionDescription.milliseconds(record.spans.total)
        text.add("called", "\(Units.moment(record.arrivalEpochSeconds)) at \(record.node), over after \(total)")
        text.add("end", end)
        text.add(
            record.decision.rawValue,
            (record.site.map { "at \($0), " } ?? "") + "because \(record.reason.rawValue): \(DecisionWords.reason(record.reason))"
                + (record.startLevel.map { "; start \($0.rawValue)" } ?? ""))
        if let revision = record.staleRevision {
            text.add("stale", "ran \(record.version) as of revision \(revision), for the code of the newest was at hand nowhere")
        }
        if let tries = record.tries { text.add("tried", each: tries.map(Self.attempt) + [Self.doubt(record)].compactMap { $0 }) }
        if let remote = record.remote {
            let why = "\(remote.node), because \(remote.reason.rawValue): \(DecisionWords.reason(remote.reason))"
            text.add("there", each: [why] + (remote.capacity.map(Self.capacity) ?? []))
        }
        if let capacity = record.capacity { text.add("capacity", each: Self.capacity(capacity)) }
        if let sender = record.forwardedBy { text.add("from", each: record.origin.map { Self.origin($0, from: sender) } ?? [sender]) }
        if let placement = record.placement { text.add("decided", each: Self.inputs(placement)) }
        let peak = record.memoryPeak.map { "\($0) of " } ?? ""
        text.add(
            "size",
            "memory \(peak)\(record.memoryLimit), request \(ByteCount(record.requestByteCount)), "
                + "response \(ByteCount(record.responseByteCount))")
        let regions = record.regions.map { Self.regions($0, width: tableColumns.map { $0 - 2 }) } ?? []
        let body = text.lines + regions + SpanChart(record).render(width: columns - 2)
        return (["\(record.requestID)  \(record.functionARN):\(record.version)"] + body.map { "  \($0)" }).joined(separator: "\n")
    }

    private var end: String {
        let error = record.errorType.map { " (\(Terminal.printable($0)))" } ?? ""
        let log = record.outcome == .functionError ? "; what it wrote: wayside logs \(record.requestID)" : ""
        return "\(record.outcome.rawValue), by \(record.endingParty.rawValue)\(error)\(log)"
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
