internal import ArgumentParser
internal import EngineCore
internal import Foundation

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows where an invocation ran and why, and where its time went.",
        discussion: "Without a request id: the newest invocations, one line each.")

    @Argument(help: "The request id, as the answer's x-amzn-RequestId has it.")
    var requestID: String?

    @Option(help: "Only this function.")
    var function: String?

    @Option(help: "How many of the newest.")
    var limit = 20

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let path: String
        if let requestID {
            path = "/v1/records/\(LambdaClient.component(requestID))"
        } else {
            path = "/v1/records?limit=\(limit)" + (function.map { "&function=\(LambdaClient.component($0))" } ?? "")
        }
        if node.output == .json {
            print(String(decoding: try await node.client().get(path), as: UTF8.self))
        } else if requestID != nil {
            print(InvocationTimeline(record: try await node.client().get(path, as: InvocationRecord.self)).render())
        } else {
            let records = try await node.client().get(path, as: [InvocationRecord].self)
            var table = Table(header: ["REQUEST", "FUNCTION", "DECISION", "REASON", "SITE", "START", "OUTCOME", "TOTAL MS"])
            for record in records {
                table.rows.append([
                    record.requestID.description, String(record.functionARN.split(separator: ":").last ?? ""), record.decision.rawValue,
                    record.reason.rawValue, record.site ?? "-", record.startLevel?.rawValue ?? "-", record.outcome.rawValue,
                    String(format: "%.3f", record.spans.total),
                ])
            }
            print(table.render())
        }
    }
}
