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
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a function's settings and what its sandbox is told.")

    @Argument(help: "The function's name or ARN.")
    var name: String
    @OptionGroup var owner: OwnerOptions
    @Option(help: "table for people, json for programs: the settings as the API has them.")
    var output: OutputFormat = .table

    func run() async throws {
        let body = try await owner.client().call(.get, "/2015-03-31/functions/\(LambdaClient.component(name))/configuration").body
        guard output == .json else {
            print(Self.text(try JSONDecoder().decode(FunctionSummary.self, from: body)))
            return
        }
        let pretty = try JSONSerialization.data(
            withJSONObject: try JSONSerialization.jsonObject(with: body), options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        print(String(decoding: pretty, as: UTF8.self))
    }

    private static func text(_ function: FunctionSummary) -> String {
        let profile = function.Wayside?.SystemCalls.map { "\($0.count), a profile of its own" }
        let egress = function.Wayside?.Egress ?? []
        var paragraph = Paragraph(width: Terminal.columns, labelWidth: 14)
        paragraph.add("function", function.FunctionArn)
        paragraph.add("version", function.Version)
        paragraph.add("runtime", function.Runtime ?? "-")
        paragraph.add("handler", function.Handler ?? "-")
        paragraph.add("memory", "\(function.MemorySize) MiB")
        paragraph.add("timeout", "\(function.Timeout) s")
        paragraph.add("code", "\(function.CodeSize) bytes")
        paragraph.add("modified", String(function.LastModified.prefix(19)))
        paragraph.add("egress", egress.isEmpty ? "none" : egress.joined(separator: " "))
        paragraph.add("system calls", profile ?? "those of its runtime")
        paragraph.add("isolation", function.Wayside?.Isolation ?? "shared")
        paragraph.add("affinity", function.Wayside?.Affinity?.text ?? "none")
        if let placement = function.Wayside?.placementText { paragraph.add("placement", placement) }
        if let regions = function.Wayside?.Regions { paragraph.add("held by", regions.joined(separator: " ")) }
        return paragraph.lines.joined(separator: "\n")
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
