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

    @Option(help: "How many of a function's newest invocations. Default: 10.")
    var limit: Int?

    @OptionGroup var place: NodeOptions

    @Option(help: "table for people: the text as it is; json for programs: a line for each invocation.")
    var output: OutputFormat = .table

    private struct Line: Encodable {
        let requestID: String
        let log: String
    }

    func validate() throws {
        guard RequestID(what) == nil || account == nil && limit == nil else {
            throw ValidationError("A request id names one invocation. Leave out --account and --limit.")
        }
    }

    func run() async throws {
        let client = place.client()
        if let id = RequestID(what) { return try await write(id, from: client) }
        let records = try await client.records(limit: limit ?? 10, function: what, account: account)
        guard Set(records.map(\.account)).count <= 1 else {
            throw CommandFailure("Several accounts have a function '\(what)'. Give --account, or the function's ARN.")
        }
        guard !records.isEmpty else { throw CommandFailure("This node knows no invocation of '\(what)'.") }
        for record in records.reversed() { try await write(record.requestID, from: client) }
    }

    private func write(_ id: RequestID, from client: OperatorClient) async throws {
        let log = try await client.get("/v1/logs/\(id)")
        guard output == .json else { return try StandardOutput.write(log) }
        // What is not UTF-8 is replaced, for JSON has no other text.
        print(try JSONText.of(Line(requestID: id.description, log: String(decoding: log, as: UTF8.self))))
    }
}
