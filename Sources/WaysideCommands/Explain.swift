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

    @Option(help: "How many of the newest.")
    var limit = 20

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let client = node.client()
        if let requestID {
            let record = try await client.record(requestID)
            print(node.output == .json ? try json(record) : InvocationTimeline(record: record).render())
            return
        }
        let records = try await client.records(limit: limit, function: function, account: account)
        if node.output == .json {
            print(try json(records))
        } else {
            var table = Table(header: ["REQUEST", "ACCOUNT", "FUNCTION", "DECISION", "REASON", "SITE", "START", "OUTCOME", "TOTAL MS"])
            for record in records {
                table.rows.append([
                    record.requestID.description, record.account.description,
                    String(record.functionARN.split(separator: ":").last ?? ""), record.decision.rawValue,
                    record.reason.rawValue, record.site ?? "-", record.startLevel?.rawValue ?? "-", record.outcome.rawValue,
                    String(format: "%.3f", record.spans.total),
                ])
            }
            print(table.render())
        }
    }

    private func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
