internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import Frontend
internal import RegionForwarding

struct RegionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "region", abstract: "The regions this node forwards to, and what it knows of them.",
        subcommands: [RegionList.self, RegionShow.self])
}

struct RegionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the regions: which can be reached, how far and how busy they are.")

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get("/v1/regions")
        if node.output == .json {
            print(String(decoding: data, as: UTF8.self))
            return
        }
        let answer = try OperatorClient.decode(data, as: RegionsAnswer.self)
        guard !answer.regions.isEmpty else { return print("This node forwards to no region; peers.regions names none.") }
        print(Self.table(answer.regions).render(width: Terminal.width))
        for region in answer.regions where region.circuit != .closed {
            if let failure = RegionDescription.failure(region) { Terminal.note("\(region.name): \(failure)") }
        }
    }

    static func table(_ regions: [RegionAnswer]) -> Table {
        var table = Table(columns: [
            .init("REGION", importance: 10, isText: true), .init("STATE", importance: 9), .init("ROUND TRIP", importance: 8),
            .init("LOAD", importance: 7), .init("UNDER WAY", importance: 6), .init("REPORT", importance: 5), .init("HELD", importance: 4),
            .init("URL", importance: 3, shortest: 16, isText: true),
        ])
        table.rows = regions.map { region in
            [
                region.name, RegionDescription.state(region), RegionDescription.milliseconds(region.roundTrip),
                RegionDescription.load(region), "\(region.underWay)", RegionDescription.report(region),
                "\(region.held)", region.url,
            ]
        }
        return table
    }
}

struct RegionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one region and what it has told of the versions there, the last changed first.")

    @Argument(help: "The region, as `wayside region list` shows it.")
    var name: String

    @Option(help: "How many versions, at most 1000.")
    var limit = 20

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get("/v1/regions/\(LambdaClient.component(name))?limit=\(limit)")
        if node.output == .json {
            print(String(decoding: data, as: UTF8.self))
            return
        }
        let answer = try OperatorClient.decode(data, as: RegionDetailAnswer.self)
        let region = answer.region
        var text = Paragraph(width: Terminal.columns, labelWidth: 13)
        text.add("region", "\(region.name), \(region.url)")
        text.add("state", RegionDescription.state(region))
        if let failure = RegionDescription.failure(region) { text.add("last failure", failure) }
        text.add("round trip", RegionDescription.milliseconds(region.roundTrip))
        text.add("load", "\(RegionDescription.load(region)), \(region.underWay) calls of this node under way")
        text.add("report", RegionDescription.report(region))
        text.add("certificate", RegionDescription.certificate(region))
        text.add("versions", "\(region.held) held of \(region.versions) told of")
        print(text.lines.joined(separator: "\n"))
        guard !answer.versions.isEmpty else { return }
        print("\n" + Self.table(answer.versions).render(width: Terminal.width))
        if region.versions > answer.versions.count {
            Terminal.note("\(answer.versions.count) of \(region.versions) versions; --limit shows more")
        }
    }

    static func table(_ versions: [RegionVersionAnswer]) -> Table {
        var table = Table(columns: [
            .init("FUNCTION", importance: 10, shortest: 8, isText: true), .init("VERSION", importance: 8), .init("HELD", importance: 9),
            .init("CALLS", importance: 5), .init("LAST", importance: 7), .init("IDLE", importance: 8),
            .init("COLD START", importance: 4), .init("RUN", importance: 3), .init("REVISION", importance: 1, isText: true),
        ])
        table.rows = versions.map { row in
            [
                InventoryTables.name(row.function), row.version.description, row.held ? "yes" : "no", "\(row.calls)",
                row.lastReceived.map { "\(Units.time($0 / 1000)) ago" } ?? "-", "\(row.idle)",
                RegionDescription.milliseconds(row.coldStart), RegionDescription.milliseconds(row.run), row.revision,
            ]
        }
        return table
    }
}

/// A region in words.
enum RegionDescription {
    static func state(_ region: RegionAnswer) -> String {
        if region.draining { return "draining" }
        switch region.circuit {
        case .open: return "out of reach"
        case .halfOpen: return "being tried"
        case .closed: return region.saturated ? "full" : region.roundTrip == nil && region.load == nil ? "not heard of" : "ready"
        }
    }

    /// What a region that is out of reach said last is no longer so.
    static func load(_ region: RegionAnswer) -> String {
        region.circuit == .closed ? region.load.map { "\(Int(($0 * 100).rounded()))%" } ?? "-" : "-"
    }

    static func failure(_ region: RegionAnswer) -> String? {
        region.failure.map { "\(Terminal.printable($0.reason)), \(Units.time($0.age / 1000)) ago" }
    }

    static func report(_ region: RegionAnswer) -> String {
        guard let age = region.reportAge else { return "none" }
        return "\(Units.time(age / 1000)) old\(region.isReportFresh ? "" : ", stale")"
    }

    static func certificate(_ region: RegionAnswer) -> String {
        guard let certificate = region.certificate else { return "none seen" }
        return "\(certificate.serial), until \(Date(timeIntervalSince1970: certificate.validUntil).formatted(.iso8601))"
    }

    static func milliseconds(_ value: Double?) -> String {
        value.map { "\(Units.number($0, digits: $0 < 10 ? 2 : $0 < 100 ? 1 : 0)) ms" } ?? "-"
    }
}
