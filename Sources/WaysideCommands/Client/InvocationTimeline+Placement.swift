internal import EngineCore
internal import Foundation

extension InvocationTimeline {
    /// What a placement decision saw, each input with its value.
    static func inputs(_ basis: PlacementBasis) -> [String] {
        func time(_ name: String, _ milliseconds: Double?) -> String? {
            milliseconds.map { "\(name) \(RegionDescription.milliseconds($0))" }
        }
        let calls =
            basis.callsPerHalfLife.map { "\(Units.number($0)) calls in a half-life" }
            ?? basis.timesSeen.map { "calls seen lately: about \($0)" }
        let price = basis.price.map { String(format: "a MiB·s costs %.3g ms", $0 * 1000) }
        return [
            ["by \(basis.policy.rawValue)", basis.isFrequent ? "frequent" : "not frequent", calls, "latency \(basis.latency.rawValue)"],
            [
                time("cold start", basis.coldStart), time("round trip", basis.roundTrip), time("run here", basis.runHere),
                time("run there", basis.runThere), basis.gain == 0 ? nil : time("a container here would win", basis.gain),
            ],
            [
                "needs \(basis.memory), free \(basis.freeMemory)", "\(basis.freeSlots) slots free",
                basis.isCodeHere ? "code is here" : "code is not here", price, basis.startsBehind ? "started one behind it" : nil,
            ],
        ].map { $0.compactMap { $0 }.joined(separator: ", ") }.filter { !$0.isEmpty }
    }

    /// Where the call came from and what was decided there.
    static func origin(_ origin: ForwardOrigin, from node: String) -> [String] {
        var lines = [
            "\(node) forwarded it \(RegionDescription.milliseconds(origin.elapsed)) after its arrival, because \(origin.reason.rawValue): "
                + DecisionWords.reason(origin.reason)
        ]
        if let placement = origin.placement { lines += inputs(placement).map { "  \($0)" } }
        if let choice = origin.choice {
            let score = choice.roundTrip + choice.queueing + choice.start
            lines.append(
                "  chose among \(choice.regionCount) \(DecisionWords.basis(choice.basis)): score \(RegionDescription.milliseconds(score)), "
                    + "round trip \(RegionDescription.milliseconds(choice.roundTrip)), "
                    + "queueing \(RegionDescription.milliseconds(choice.queueing)), start \(RegionDescription.milliseconds(choice.start))")
        }
        lines += origin.tries.map { "  tried \($0.node): \(DecisionWords.stage($0.stage)), \($0.code.rawValue)" }
        return lines
    }

    /// An attempt that did not bring the call to its end.
    static func attempt(_ attempt: InvocationTry) -> String {
        "\(attempt.node) after \(RegionDescription.milliseconds(attempt.began)), for \(RegionDescription.milliseconds(attempt.took)): "
            + "\(DecisionWords.stage(attempt.stage)), \(attempt.code.rawValue): \(Terminal.printable(attempt.message))"
    }

    /// How often the function may have run for this one call, where that is not once; `nil`: nothing of it is in doubt.
    static func doubt(_ record: InvocationRecord) -> String? {
        let lost = (record.tries ?? []).count { $0.stage != .beforeSend && $0.stage != .beforeStart }
        guard lost > 0 else { return nil }
        if record.site != nil, record.outcome == .success || record.outcome == .functionError {
            return "the call may have run \(lost + 1) times; its owner permits that (--idempotent)"
        }
        return "the call may have run\(lost == 1 ? "" : " \(lost) times"), and its result did not come whole"
    }
}
