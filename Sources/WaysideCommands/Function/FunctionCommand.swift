internal import ArgumentParser
internal import Foundation
internal import HTTPTypes

struct FunctionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "function", abstract: "The functions of an account.",
        subcommands: [FunctionList.self, FunctionShow.self, FunctionDelete.self])
}

struct FunctionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the functions of the account.")

    @OptionGroup var owner: OwnerOptions
    @Option(help: "table for people, json for programs.")
    var output: OutputFormat = .table

    private struct Page: Codable {
        let Functions: [FunctionSummary]
        let NextMarker: String?
    }

    func run() async throws {
        let client = try owner.client()
        var functions: [FunctionSummary] = []
        var marker: String?
        repeat {
            let query = marker.map { "?Marker=\(LambdaClient.component($0))" } ?? ""
            let page = try JSONDecoder().decode(Page.self, from: try await client.call(.get, "/2015-03-31/functions\(query)").body)
            functions += page.Functions
            marker = page.NextMarker
        } while marker != nil
        if output == .json {
            print(String(decoding: try JSONEncoder().encode(functions), as: UTF8.self))
            return
        }
        var table = Table(header: ["NAME", "RUNTIME", "HANDLER", "MEMORY MB", "TIMEOUT S", "CODE BYTES", "MODIFIED"])
        for function in functions {
            table.rows.append([
                function.FunctionName, function.Runtime ?? "-", function.Handler ?? "-", "\(function.MemorySize)", "\(function.Timeout)",
                "\(function.CodeSize)", String(function.LastModified.prefix(19)),
            ])
        }
        print(table.render())
    }
}

struct FunctionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Prints a function's settings as the API has them.")

    @Argument(help: "The function's name or ARN.")
    var name: String
    @OptionGroup var owner: OwnerOptions

    func run() async throws {
        let body = try await owner.client().call(.get, "/2015-03-31/functions/\(LambdaClient.component(name))/configuration").body
        let pretty = try JSONSerialization.data(
            withJSONObject: try JSONSerialization.jsonObject(with: body), options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        print(String(decoding: pretty, as: UTF8.self))
    }
}

struct FunctionDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "delete", abstract: "Deletes a function with all its versions.")

    @Argument(help: "The function's name or ARN.")
    var name: String
    @OptionGroup var owner: OwnerOptions

    func run() async throws {
        _ = try await owner.client().call(.delete, "/2015-03-31/functions/\(LambdaClient.component(name))")
        print("deleted \(name)")
    }
}
