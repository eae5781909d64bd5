internal import EngineCore

/// What `wayside pool list` shows: the node as a whole, a line for each sub-pool, and the ledger if it is asked for.
struct PoolListing {
    let report: PoolsReport
    var showsLedger = false
    /// `nil`: as wide as it comes out.
    let width: Int?

    func render() -> String {
        var blocks = [Self.summary(report, width: width)]
        if !report.subPools.isEmpty { blocks.append(Self.table(report.subPools).render(width: width)) }
        if showsLedger { blocks.append(ledger.render(width: width)) }
        return blocks.joined(separator: "\n\n")
    }

    /// Memory, instances, containers and waiting calls of the whole node, the price of variable capacity, and what is unusual.
    ///
    /// - Parameter showsAreas: also what each part of the memory holds.
    static func summary(_ report: PoolsReport, width: Int?, showsAreas: Bool = true) -> String {
        var text = Paragraph(width: width ?? .max, labelWidth: 12)
        let areas = report.areas.count < 2 || !showsAreas ? [] : report.areas.map { area in
            "\(area.name) \(Units.size(area.heldBytes)) of \(Units.size(area.limitBytes))"
        }
        text.add(
            "memory",
            "\(Units.size(report.memoryHeldBytes)) of \(Units.size(report.memoryBytes)) held"
                + (areas.isEmpty ? "" : ": " + areas.joined(separator: ", ")))
        let active = max(0, report.instances - report.instancesBooting - report.instancesReady)
        text.add(
            "instances", "\(report.instances): \(report.instancesBooting) booting, \(report.instancesReady) ready, \(active) of accounts")
        let others = report.containers - report.containersStarting - report.containersIdle - report.containersBusy
        text.add(
            "containers",
            "\(report.containers): \(report.containersStarting) starting, \(report.containersIdle) idle, \(report.containersBusy) busy"
                + (others > 0 ? ", \(others) spare or ending" : ""))
        let reasons = CapacityWords.list(report.waitingByReason)
        text.add("waiting", "\(report.waiting) call\(report.waiting == 1 ? "" : "s")" + (reasons.isEmpty ? "" : ": \(reasons)"))
        let prices = report.subPools.compactMap { pool in pool.price.map { "\(pool.title) \(Units.number($0, digits: 2))" } }.sorted()
        if !prices.isEmpty { text.add("price", prices.joined(separator: ", ") + " for a GiB-hour") }
        let unusual = report.subPools.sorted(by: inOrder).filter { !notes($0).isEmpty }
        if !unusual.isEmpty { text.add("notes", each: unusual.map { "\($0.title): \(notes($0))" }) }
        return text.lines.joined(separator: "\n")
    }

    /// Columns in which nothing could stand for any of these are left out.
    static func table(_ pools: [SubPoolReport]) -> Table {
        let hasPrice = pools.contains { $0.price != nil }
        let hasWaits = pools.contains { $0.waiting > 0 }
        let hasWaited = pools.contains { $0.waits.values.contains { $0 > 0 } }
        let hasRefused = pools.contains { $0.refusals.values.contains { $0 > 0 } }
        let columns: [(isShown: Bool, column: Table.Column, cell: (SubPoolReport) -> String)] = [
            (true, .init("SUB-POOL", importance: 10, shortest: 20), { $0.title }),
            (true, .init("FLOOR", importance: 6), { Units.count($0.floor) }),
            (true, .init("TARGET", importance: 9), { Units.count($0.target) }),
            (true, .init("CEIL", importance: 5), { Units.count($0.ceiling) }),
            (true, .init("READY", importance: 9), { "\($0.ready)" }),
            (true, .init("BOOT", importance: 8), { "\($0.booting)" }),
            (true, .init("ACTIVE", importance: 9), { "\($0.active)" }),
            (true, .init("MEMORY", importance: 7), { Units.size($0.memoryHeldBytes) }),
            (true, .init("LIMIT", importance: 3), { Units.size($0.memoryLimitBytes) }),
            (hasPrice, .init("PRICE", importance: 4), { $0.price.map { Units.number($0, digits: 2) } ?? "-" }),
            (true, .init("CALLS", importance: 4), { "\($0.hits.values.reduce(0, +))" }),
            (true, .init("WARM", importance: 8), { share(.loaded, of: $0) }),
            (true, .init("OWN", importance: 3), { share(.ownInstance, of: $0) }),
            (true, .init("POOL", importance: 3), { share(.warmingPool, of: $0) }),
            (true, .init("NEW", importance: 3), { share(.newInstance, of: $0) }),
            (hasWaits, .init("WAIT", importance: 8), { "\($0.waiting)" }),
            (hasWaited, .init("HAD TO WAIT", importance: 2, shortest: 24), { orNone(CapacityWords.list($0.waits)) }),
            (hasRefused, .init("REFUSED", importance: 2, shortest: 24), { orNone(CapacityWords.list($0.refusals)) }),
        ]
        let shown = columns.filter(\.isShown)
        var table = Table(columns: shown.map(\.column))
        table.rows = pools.sorted(by: inOrder).map { pool in shown.map { $0.cell(pool) } }
        return table
    }

    private var ledger: Table {
        var table = Table(columns: [
            .init("ACCOUNT", importance: 10), .init("SUB-POOL", importance: 9, shortest: 20), .init("INSTANCES", importance: 8),
            .init("EXECUTING", importance: 7), .init("MEMORY-TIME", importance: 8),
        ])
        func row(_ account: String, _ pool: String, _ use: LedgerUse) -> [String] {
            [
                account, pool, "\(Units.number(use.instanceSeconds)) s", "\(Units.number(use.executingSeconds)) s",
                "\(Units.number(use.memoryMebibyteSeconds / 1024)) GiB s",
            ]
        }
        table.rows = report.ledger.map { row($0.account?.description ?? "nobody's", $0.subPool?.description ?? "-", $0.use) }
            .sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }
        table.rows.append(row("all", "", report.totals))
        return table
    }

    /// What is unusual about it.
    static func notes(_ pool: SubPoolReport) -> String {
        var notes: [String] = []
        if pool.isDrained { notes.append("drained") }
        if pool.lentBytes > 0 {
            notes.append("lent \(Units.size(pool.lentBytes))" + (pool.lentUntilEpochSeconds.map { " until \(Units.moment($0))" } ?? ""))
        }
        if pool.bootFailures > 0 { notes.append("\(pool.bootFailures) boot failure\(pool.bootFailures == 1 ? "" : "s")") }
        return notes.joined(separator: ", ")
    }

    private static func orNone(_ text: String) -> String { text.isEmpty ? "-" : text }

    private static func share(_ branch: CapacityBranch, of pool: SubPoolReport) -> String {
        Units.share(pool.hits[branch.rawValue] ?? 0, of: pool.hits.values.reduce(0, +))
    }

    /// General, dedicated, fixed, variable; each kind by name.
    private static func inOrder(_ left: SubPoolReport, _ right: SubPoolReport) -> Bool {
        let kinds = SubPoolID.Kind.allCases
        let places = (left.kind.flatMap { kinds.firstIndex(of: $0) } ?? -1, right.kind.flatMap { kinds.firstIndex(of: $0) } ?? -1)
        return places.0 == places.1 ? left.title < right.title : places.0 < places.1
    }
}
