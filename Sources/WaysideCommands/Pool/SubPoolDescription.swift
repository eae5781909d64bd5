internal import EngineCore

/// All that is known of one sub-pool, as labelled lines.
struct SubPoolDescription {
    let pool: SubPoolReport
    let width: Int

    func render() -> String {
        var text = Paragraph(width: width, labelWidth: 14)
        text.add("sub-pool", pool.title)
        let one = pool.kind == .dedicated ? "container" : "instance"
        let unit = "\(one)s"
        if let target = pool.target {
            let limits = [pool.floor.map { "at least \($0)" }, pool.ceiling.map { "at most \($0)" }].compactMap { $0 }
            let kept = "\(target) \(target == 1 ? one : unit) ready"
            text.add("target", kept + (limits.isEmpty ? "" : ", \(limits.joined(separator: ", "))"))
        }
        text.add(unit, "\(pool.ready) ready, \(pool.booting) booting, \(pool.active) \(pool.kind == .dedicated ? "busy" : "of accounts")")
        let limit = pool.memoryLimitBytes.map { " of \(Units.size($0))" } ?? " of the common memory"
        text.add("memory", "\(Units.size(pool.memoryHeldBytes))\(limit)")
        if let price = pool.price { text.add("price", "\(Units.number(price, digits: 2)) for a GiB-hour") }
        let calls = pool.hits.values.reduce(0, +)
        let ways = CapacityBranch.allCases.compactMap { branch in
            pool.hits[branch.rawValue].map { "  \(CapacityWords.way(branch)): \($0) (\(Units.share($0, of: calls)))" }
        }
        text.add("calls", each: ["\(calls)"] + ways)
        text.add("had to wait", each: reasons(pool.waits) { CapacityWords.list($0) })
        text.add("waiting now", "\(pool.waiting)")
        text.add("refused", each: reasons(pool.refusals) { CapacityWords.list($0) })
        text.add("boot failures", "\(pool.bootFailures)")
        let notes = PoolListing.notes(pool)
        if !notes.isEmpty { text.add("notes", notes) }
        return text.lines.joined(separator: "\n")
    }

    private func reasons(_ counts: [String: Int], _ line: ([String: Int]) -> String) -> [String] {
        let nonzero = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return nonzero.isEmpty ? ["none"] : nonzero.map { line([$0.key: $0.value]) }
    }
}
