internal import ArgumentParser
internal import EngineCore
internal import Foundation

struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints what a function wrote, by request id or for its newest invocations; also when it ran in a region.")

    @Argument(help: "A request id, or a function's name or ARN.")
    var what: String

    @Option(help: "The account of the function, where several have one of this name.")
    var account: String?

    @Option(help: "How many of a function's newest invocations.")
    var limit = 10

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let client = node.client()
        if RequestID(what) != nil {
            try StandardOutput.write(try await client.get("/v1/logs/\(what)"))
            return
        }
        let records = try await client.records(limit: limit, function: what, account: account)
        guard Set(records.map(\.account)).count <= 1 else {
            throw CommandFailure("Several accounts have a function '\(what)'. Give --account, or the function's ARN.")
        }
        guard !records.isEmpty else { throw CommandFailure("This node knows no invocation of '\(what)'.") }
        for record in records.reversed() {
            try StandardOutput.write(try await client.get("/v1/logs/\(record.requestID)"))
        }
    }
}
