internal import EngineCore
internal import Foundation

/// What `wayside top` shows of one moment.
///
/// Lines are given to what matters most: the summary gets up to a third, the sub-pools what they need up to half of the rest, the
/// functions what is left. What does not fit is counted.
struct TopMoment: Encodable {
    let node: String
    let now: Date
    let pools: PoolsReport
    let functions: FunctionRates

    private enum CodingKeys: String, CodingKey { case node, pools, functions }

    /// - Parameters:
    ///   - width: `nil`: as wide as it comes out.
    ///   - height: lines at most; `nil`: as many as it takes.
    ///   - trouble: why nothing newer is shown.
    func render(width: Int?, height: Int?, trouble: String? = nil) -> [String] {
        // A line for each, for lines that are wrapped now and then would make all below them jump.
        let summary = PoolListing.summary(pools, width: nil, showsAreas: false).split(separator: "\n").map(String.init)
        var lines = [title(width)] + summary.prefix(height.map { max(5, $0 / 3) } ?? .max)
        if let bar = memoryBar(width) { lines.insert(bar, at: 2) }
        let rest = height.map { max(0, $0 - lines.count - 3) }
        // The functions leave what they do not need to the sub-pools; each table has a line of titles.
        let functionLines = max(1, functions.rates.count) + 1
        let forPools = rest.map { max($0 / 2, $0 - functionLines) }
        let poolTable = PoolListing.table(pools.subPools).render(width: width, saysMissing: false)
        let poolLines = Self.limited(poolTable, to: forPools, of: pools.subPools.count)
        lines += [""] + poolLines
        lines += [""] + Self.limited(functionTable(width), to: rest.map { $0 - poolLines.count }, of: functions.rates.count)
        let end = trouble.map { "no answer since \(Units.moment(now.timeIntervalSince1970)): \(Terminal.printable($0))" }
        if let height {
            lines = Array(lines.prefix(height - 1))
            lines += Array(repeating: "", count: max(0, height - 1 - lines.count)) + [end ?? "q ends"]
        }
        return lines.map { line in width.map { Self.cut(line, to: $0) } ?? line }
    }

    /// The node on the left, the time and what is called on the right.
    private func title(_ width: Int?) -> String {
        let left = "wayside \(Terminal.printable(node))"
        let right = "\(Units.number(functions.callsPerSecond)) calls/s   \(Units.moment(now.timeIntervalSince1970, now: now))"
        return left + String(repeating: " ", count: max(3, (width ?? 80) - left.count - right.count)) + right
    }

    private func memoryBar(_ width: Int?) -> String? {
        guard pools.memoryBytes > 0 else { return nil }
        let cells = min((width ?? 80), 120) - 12 - 7
        guard cells >= 10 else { return nil }
        let share = min(1, max(0, Double(pools.memoryHeldBytes) / Double(pools.memoryBytes)))
        let full = Int((share * Double(cells)).rounded())
        let percent = Units.share(min(pools.memoryHeldBytes, pools.memoryBytes), of: pools.memoryBytes)
        return "            \(String(repeating: "█", count: full))\(String(repeating: "░", count: cells - full)) \(percent)"
    }

    private func functionTable(_ width: Int?) -> String {
        var table = Table(columns: [
            .init("FUNCTION", importance: 10, shortest: 16), .init("ACCOUNT", importance: 6), .init("CALLS/S", importance: 9),
            .init("WARM", importance: 8), .init("FORWARDED", importance: 7), .init("FAILED", importance: 7),
            .init("MEDIAN", importance: 8), .init("LONGEST", importance: 5),
        ])
        table.rows = functions.rates.map { rate in
            let version = rate.version == .latest ? "" : ":\(rate.version)"
            return [
                InventoryTables.name(rate.function) + version, rate.account.description, Units.number(rate.callsPerSecond),
                Units.share(rate.warm, of: rate.calls), Units.share(rate.forwarded, of: rate.calls), "\(rate.failed)",
                "\(Units.number(rate.medianMilliseconds)) ms", "\(Units.number(rate.longestMilliseconds)) ms",
            ]
        }
        guard !table.rows.isEmpty else { return "no calls in the last \(Int(functions.seconds)) s" }
        return table.render(width: width, saysMissing: false)
    }

    /// The first lines of a table, and how many rows are left out.
    private static func limited(_ table: String, to count: Int?, of rows: Int) -> [String] {
        let lines = table.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let count, lines.count > count else { return lines }
        guard count > 1 else { return [] }
        return lines.prefix(count - 1) + ["and \(rows - max(0, count - 2)) more"]
    }

    private static func cut(_ line: String, to width: Int) -> String {
        guard Terminal.places(line) > width else { return line }
        var text = line.prefix(width - 1)
        while Terminal.places(String(text)) > width - 1 { text.removeLast() }
        return "\(text)…"
    }
}
