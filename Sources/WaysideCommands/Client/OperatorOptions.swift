internal import ArgumentParser
internal import Engine
internal import Foundation
internal import SystemPackage

/// Which node a command asks: through the socket in the node's data folder, whose permissions are the access control.
struct OperatorOptions: ParsableArguments {
    @Option(help: "The node's data folder. Default: $WAYSIDE_DATA, else /var/lib/wayside.")
    var data: String?

    @Option(help: "table for people, json for programs.")
    var output: OutputFormat = .table

    var dataFolder: FilePath {
        FilePath(data ?? ProcessInfo.processInfo.environment["WAYSIDE_DATA"] ?? "/var/lib/wayside")
    }

    func client() -> OperatorClient { OperatorClient(socket: EngineConfiguration.operatorSocket(data: dataFolder)) }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}
