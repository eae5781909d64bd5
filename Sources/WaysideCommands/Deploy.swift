internal import ArgumentParser
internal import ContentDistribution
internal import Foundation
internal import HTTPTypes
internal import SystemPackage

struct Deploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Creates a function from a folder or a zip, or gives an existing one new code and settings.",
        discussion: "Settings that are not given stay as they are; a new function takes the defaults named below.")

    @Argument(help: "The function's name.")
    var name: String

    @Argument(help: "A folder, which is packed, or a .zip file.")
    var code: String

    @Option(help: "For example python3.11, nodejs20.x, provided.al2023. Needed for a new function.")
    var runtime: String?

    @Option(help: "For example app.handler. Needed for a new function, but for provided runtimes.")
    var handler: String?

    @Option(help: "MiB, 128 to 10240. A new function takes 128.")
    var memory: Int?

    @Option(help: "Seconds, 1 to 900. A new function takes 3.")
    var timeout: Int?

    @Option(name: .customLong("env"), help: "NAME=VALUE; may be repeated. Replaces all variables when given.")
    var environment: [String] = []

    @OptionGroup(title: "Sandbox") var sandbox: SandboxSettingsOptions
    @OptionGroup(title: "Sticky containers") var affinity: AffinitySettingsOptions
    @OptionGroup(title: "Placement") var placement: PlacementSettingsOptions

    @Flag(help: "Publishes a version.")
    var publish = false

    @OptionGroup var owner: OwnerOptions

    func run() async throws {
        let client = try owner.client()
        let zip = try package()
        let path = "/2015-03-31/functions/\(LambdaClient.component(name))"
        let settings = try self.settings()
        let exists: Bool
        do {
            _ = try await client.call(.get, "\(path)/configuration")
            exists = true
        } catch let failure as CommandFailure where failure.code == "ResourceNotFoundException" {
            exists = false
        }
        let encoded = zip.base64EncodedString()
        let answer: LambdaClient.Answer
        if exists {
            if !settings.isEmpty { _ = try await client.call(.put, "\(path)/configuration", body: try json(settings)) }
            answer = try await client.call(.put, "\(path)/code", body: try json(["ZipFile": encoded, "Publish": publish]))
        } else {
            guard let runtime else { throw CommandFailure("\(name) does not exist yet. Give --runtime to create it.") }
            var request = settings
            request["FunctionName"] = name
            request["Role"] = "arn:aws:iam::000000000000:role/wayside"
            request["Code"] = ["ZipFile": encoded]
            request["Publish"] = publish
            if handler == nil, runtime.hasPrefix("provided") { request["Handler"] = "bootstrap" }
            answer = try await client.call(.post, "/2015-03-31/functions", body: try json(request))
        }
        let made = try JSONDecoder().decode(FunctionSummary.self, from: answer.body)
        print("\(exists ? "updated" : "created") \(made.FunctionArn) version \(made.Version), \(zip.count) bytes")
    }

    private func package() throws -> Data {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: code, isDirectory: &isFolder) else {
            throw CommandFailure("There is no '\(code)'. Give a folder or a .zip file.")
        }
        if isFolder.boolValue { return Data(try ZipPackager.package(folder: FilePath(code))) }
        return try Data(contentsOf: URL(fileURLWithPath: code))
    }

    private func settings() throws -> [String: Any] {
        var settings: [String: Any] = [:]
        if let runtime { settings["Runtime"] = runtime }
        if let handler { settings["Handler"] = handler }
        if let memory { settings["MemorySize"] = memory }
        if let timeout { settings["Timeout"] = timeout }
        if !environment.isEmpty {
            var variables: [String: String] = [:]
            for text in environment {
                guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                    throw CommandFailure("--env '\(text)' is not NAME=VALUE.")
                }
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            settings["Environment"] = ["Variables": variables]
        }
        var own = try sandbox.member() ?? [:]
        if let affinity = affinity.member() { own["Affinity"] = affinity }
        own.merge(placement.members) { $1 }
        if !own.isEmpty { settings["Wayside"] = own }
        return settings
    }

    private func json(_ object: [String: Any]) throws -> [UInt8] { Array(try JSONSerialization.data(withJSONObject: object)) }
}
