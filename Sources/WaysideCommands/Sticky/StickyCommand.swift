internal import ArgumentParser
internal import EngineCore
internal import Frontend
internal import NIOHTTP1

struct StickyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sticky", abstract: "Which routing value is served by which container.",
        subcommands: [StickyList.self, StickyShow.self, StickyRemove.self])
}

/// Which rows are meant.
struct StickyFilter: ParsableArguments {
    @Option(help: "Only this account's.")
    var account: String?

    @Option(help: "Only this function's, by name or ARN.")
    var function: String?

    var path: String {
        let parameters = [("account", account), ("function", function)].compactMap { name, value in
            value.map { "\(name)=\(LambdaClient.component($0))" }
        }
        return "/v1/sticky" + (parameters.isEmpty ? "" : "?" + parameters.joined(separator: "&"))
    }
}

struct StickyList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the table of routing values, the last used first; at most 1000 rows.")

    @OptionGroup var filter: StickyFilter
    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get(filter.path)
        guard let answer = try node.readable(data, as: StickyAnswer.self) else { return }
        print(Self.table(answer.rows).render(width: Terminal.width))
        if answer.total > answer.rows.count {
            Terminal.note("\(answer.rows.count) of \(answer.total) rows; --function or --account narrows it down")
        }
    }

    static func table(_ rows: [StickyRow]) -> Table {
        var table = Table(columns: [
            .init("ROW", importance: 10, isText: true), .init("VALUE", importance: 9, shortest: 16, isText: true),
            .init("ACCOUNT", importance: 7),
            .init("FUNCTION", importance: 8, shortest: 8), .init("VERSION", importance: 6), .init("CONTAINER", importance: 9),
            .init("STATE", importance: 5), .init("USES", importance: 4), .init("IDLE", importance: 4), .init("AGE", importance: 3),
        ])
        table.rows = rows.map { row in
            [
                row.id, row.value, row.account.description, InventoryTables.name(row.function), row.version.description, "\(row.container)",
                row.state, "\(row.uses)", Units.time(row.idleSeconds), Units.time(row.ageSeconds),
            ]
        }
        return table
    }
}

struct StickyShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows one row, its value and function in full.")

    @Argument(help: "The row, as `wayside sticky list` shows it.")
    var row: String

    @OptionGroup var filter: StickyFilter
    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let answer = try await node.client().get(filter.path, as: StickyAnswer.self)
        guard let row = answer.rows.first(where: { $0.id == row }) else {
            let some = answer.total > answer.rows.count ? " among the \(answer.rows.count) last used; give --function" : ""
            throw CommandFailure("There is no row \(row)\(some). See `wayside sticky list`.")
        }
        if node.output == .json {
            print(try JSONText.of(row))
            return
        }
        var text = Paragraph(width: Terminal.columns, labelWidth: 12)
        text.add("row", row.id)
        text.add("value", Terminal.printable(row.value))
        text.add("function", "\(row.function):\(row.version)")
        text.add("container", "\(row.container), \(row.state)")
        text.add("uses", "\(row.uses), the last \(Units.time(row.idleSeconds)) ago, the first \(Units.time(row.ageSeconds)) ago")
        print(text.lines.joined(separator: "\n"))
    }
}

struct StickyRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes one row: the next call with its value gets a container anew.",
        discussion: "The container stays; `wayside container kill` ends it.")

    @Argument(help: "The row, as `wayside sticky list` shows it.")
    var row: String

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().send(.DELETE, "/v1/sticky/\(LambdaClient.component(row))")
        guard let row = try node.readable(data, as: StickyRow.self) else { return }
        print("removed '\(Terminal.printable(row.value))' of \(InventoryTables.name(row.function)); container \(row.container) stays")
    }
}
