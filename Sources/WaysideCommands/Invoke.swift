internal import ArgumentParser
internal import AsyncHTTPClient
internal import EngineCore
internal import Foundation
internal import HTTPTypes
internal import NIOHTTP1

struct Invoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Calls a function and prints its answer.", discussion: "Ends with 2 when the function itself failed.")

    @Argument(help: "The function's name or ARN.")
    var name: String

    @Option(help: "The event: JSON text, @FILE, or - for standard input.")
    var payload = "{}"

    @Option(help: "A version or $LATEST.")
    var qualifier: String?

    @Flag(help: "Prints where the call ran and why, and where the time went.")
    var explain = false

    @Flag(help: "Prints the last 4 KiB of the call's log.")
    var log = false

    @Flag(help: "Prints the result while the function makes it, byte by byte as it comes.")
    var stream = false

    @OptionGroup var container: ContainerChoiceOptions
    @OptionGroup var owner: OwnerOptions
    @OptionGroup(title: "With --explain") var node: NodeOptions

    func run() async throws {
        do {
            try await invoke(try owner.client())
        } catch let failure as CommandFailure {
            // Of a call that was refused before it was one there is no record.
            if explain, let id = failure.requestID, let record = try? await node.client().record(id) {
                print(InvocationTimeline(record: record).render())
            }
            throw failure
        }
    }

    private func invoke(_ client: LambdaClient) async throws {
        let body = try EventArgument.bytes(payload)
        let headers = (log ? [("x-amz-log-type", "Tail")] : []) + container.headers
        guard stream else {
            let answer = try await client.call(.post, path("2015-03-31", "invocations"), headers: headers, body: body)
            print(String(decoding: answer.body, as: UTF8.self))
            try await finish(answer.headers, log: answer.headers.first(name: "x-amz-log-result"))
            if answer.headers.contains(name: "x-amz-function-error") { throw ExitCode(2) }
            return
        }
        let response = try await client.open(.post, path("2021-11-15", "response-streaming-invocations"), headers: headers, body: body)
        let end = try await StreamedResult(response: response).write()
        // What follows on standard output begins a line of its own.
        if explain { print() }
        try await finish(response.headers, log: end.LogResult)
        guard let error = end.ErrorCode else { return }
        let failure = CommandFailure("\(error): \(end.ErrorDetails ?? "")", code: error)
        guard end.isFunctions else { throw failure }
        Terminal.note("Error: \(failure)")
        throw ExitCode(2)
    }

    private func path(_ version: String, _ operation: String) -> String {
        let query = qualifier.map { "?Qualifier=\(LambdaClient.component($0))" } ?? ""
        return "/\(version)/functions/\(LambdaClient.component(name))/\(operation)\(query)"
    }

    /// Tells what was asked for beside the result.
    /// - Parameter log: in base64.
    private func finish(_ headers: HTTPHeaders, log: String?) async throws {
        if let data = log.flatMap({ Data(base64Encoded: $0) }) { Terminal.note(data) }
        container.tell(headers)
        if explain, let id = headers.first(name: "x-amzn-requestid") {
            let record = try await node.client().record(id)
            print(InvocationTimeline(record: record).render())
        }
    }
}
