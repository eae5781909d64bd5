internal import ArgumentParser
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

    @OptionGroup var container: ContainerChoiceOptions
    @OptionGroup var owner: OwnerOptions
    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let client = try owner.client()
        var path = "/2015-03-31/functions/\(LambdaClient.component(name))/invocations"
        if let qualifier { path += "?Qualifier=\(LambdaClient.component(qualifier))" }
        let headers = (log ? [("x-amz-log-type", "Tail")] : []) + container.headers
        let answer = try await client.call(.post, path, headers: headers, body: try EventArgument.bytes(payload))
        print(String(decoding: answer.body, as: UTF8.self))
        if let text = answer.headers.first(name: "x-amz-log-result"), let data = Data(base64Encoded: text) {
            FileHandle.standardError.write(data)
        }
        container.tell(answer.headers)
        if explain, let id = answer.headers.first(name: "x-amzn-requestid") {
            let record = try await node.client().record(id)
            print(InvocationTimeline(record: record).render())
        }
        if answer.headers.contains(name: "x-amz-function-error") { throw ExitCode(2) }
    }
}
