internal import ArgumentParser
internal import EngineCore
internal import Foundation

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows where an invocation ran and why, and where its time went.",
        discussion: "Without a request id: the newest invocations, one line each.")

    @Argument(help: "The request id, as the answer's x-amzn-RequestId has it.")
    var requestID: String?

    @Option(help: "Only this function, by name or ARN.")
    var function: String?

    @Option(help: "Only this account.")
    var account: String?

    @Option(help: "How many of the newest. Default: 20.")
    var limit: Int?

    @OptionGroup var node: OperatorOptions

    func validate() throws {
        guard requestID == nil || function == nil && account == nil && limit == nil else {
            throw ValidationError("A request id names one invocation. Leave out --function, --account and --limit.")
        }
    }

    func run() async throws {
        let client = node.client()
        if let requestID {
            let record = try await client.record(requestID)
            print(node.output == .json ? try JSONText.of(record) : InvocationTimeline(record: record).render())
            return
        }
        let records = try await client.records(limit: limit ?? 20, function: function, account: account)
        if node.output == .json {
            print(try JSONText.of(records))
        } else {
            var table = Table(columns: [
                .init("REQUEST", importance: 10), .init("ACCOUNT", importance: 3), .init("FUNCTION", importance: 7, shortest: 8),
                .init("DECISION", importance: 6), .init("REASON", importance: 4), .init("SITE", importance: 2),
                .init("START", importance: 5), .init("OUTCOME", importance: 8), .init("MS", importance: 8),
            ])
            for record in records {
                table.rows.append([
                    record.requestID.description, record.account.description,
                    String(record.functionARN.split(separator: ":").last ?? ""), record.decision.rawValue,
                    record.reason.rawValue, record.site ?? "-", record.startLevel?.rawValue ?? "-", record.outcome.rawValue,
                    String(format: "%.3f", record.spans.total),
                ])
            }
            print(table.render(width: Terminal.width))
            if records.isEmpty { Terminal.note("this node knows no such invocation") }
        }
    }
}
