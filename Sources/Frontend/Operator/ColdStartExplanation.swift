import EngineCore

/// The words for a cold start: what happened, with its numbers, and what would have made the call warm.
struct ColdStartExplanation {
    let cause: ColdCause
    let details: ColdStartReport.Details
    let function: String
    let version: FunctionVersion?

    var sentence: String {
        switch cause {
        case .first:
            return "The function had not been called here since the node began, or for so long that it was forgotten."
        case .busy:
            let count = details.busy.map { $0 == 1 ? "Its one container was" : "All \($0) of its containers were" }
            return "\(count ?? "All its containers were") busy."
        case .expired:
            return "Its last idle container was ended \(ago)after \(idle ?? "its time") without a call."
        case .evicted:
            let others = details.evictedFor.map { "to \($0)" } ?? "to other functions"
            return "Its last idle container\(idle.map { ", idle for \($0)," } ?? "") gave way \(others)\(agoAtEnd)."
        case .ended:
            return "Its last container ended by itself\(agoAtEnd): a crash, a time-out, or out of memory."
        case .killed:
            return "Its last container was ended by the operator\(agoAtEnd)."
        case .changed:
            return "The function was changed\(agoAtEnd), and containers of the old revision serve no more."
        case .affinity:
            return "The call wanted one particular container, and that could not serve it."
        }
    }

    var remedy: String {
        switch cause {
        case .first, .expired: "Keep one ready: \(reserve(1))."
        case .busy: "Keep as many ready as run at once: \(reserve((details.busy ?? 1) + 1))."
        case .evicted: "Give the node more memory, or keep one that never gives way: \(reserve(1))."
        case .ended: "See why it ended: wayside explain --function \(function)."
        case .killed: "Nothing: it was wanted so."
        case .changed: "Publish versions and keep containers of the new one ready before it is called: \(reserve(1))."
        case .affinity: "See what became of the wished container: wayside explain --function \(function)."
        }
    }

    private func reserve(_ count: Int) -> String {
        let qualifier = version.map { $0 == .latest ? "" : ":\($0)" } ?? ""
        return "wayside pool reserve \(function)\(qualifier) --count \(count)"
    }

    private var idle: String? { details.idleSeconds.map(Self.time) }
    private var ago: String { details.endedAgoSeconds.map { "\(Self.time($0)) before the call, " } ?? "" }
    private var agoAtEnd: String { details.endedAgoSeconds.map { " \(Self.time($0)) before the call" } ?? "" }

    /// Two digits or more, in the largest unit that permits that: `95 s`, `12 min`, `30 h`.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<10: "\((seconds * 10).rounded() / 10) s"
        case ..<600: "\(Int(seconds.rounded())) s"
        case ..<36_000: "\(Int((seconds / 60).rounded())) min"
        default: "\(Int((min(seconds, 1e12) / 3600).rounded())) h"
        }
    }
}
