internal import EngineCore

extension InvocationTimeline {
    /// The regions between which was chosen, each with its score and what that comes from.
    static func regions(_ choice: RegionChoice, width: Int?) -> [String] {
        var table = Table(columns: [
            .init("REGION", importance: 10, isText: true), .init("SCORE", importance: 9), .init("ROUND TRIP", importance: 8),
            .init("QUEUEING", importance: 6), .init("START", importance: 8), .init("LAST CALL", importance: 5),
            .init("IDLE", importance: 5), .init("LOAD", importance: 4), .init("REPORT", importance: 3), .init("", importance: 7),
        ])
        func time(_ milliseconds: Double?) -> String { milliseconds.map { "\(Units.time($0 / 1000)) ago" } ?? "-" }
        table.rows = choice.scores.map { score in
            [
                score.region, RegionDescription.milliseconds(score.total), RegionDescription.milliseconds(score.roundTrip),
                RegionDescription.milliseconds(score.queueing), RegionDescription.milliseconds(score.start), time(score.lastReceived),
                Units.count(score.idleContainers), "\(Int((score.load * 100).rounded()))%", time(score.reportAge),
                score.exclusion.map(DecisionWords.exclusion) ?? "",
            ]
        }
        let lines = table.render(width: width.map { $0 - 2 }).split(separator: "\n")
        return ["region chosen \(DecisionWords.basis(choice.basis)):"] + lines.map { "  \($0)" }
    }
}
