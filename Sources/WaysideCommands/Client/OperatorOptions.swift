internal import ArgumentParser
internal import Engine
internal import Foundation
internal import SystemPackage

/// Which node a command asks: through the socket in the node's data folder, whose permissions are the access control.
struct NodeOptions: ParsableArguments {
    @Option(help: "The node's data folder. Default: $WAYSIDE_DATA, else /var/lib/wayside.")
    var data: String?

    var dataFolder: FilePath {
        FilePath(data ?? ProcessInfo.processInfo.environment["WAYSIDE_DATA"] ?? "/var/lib/wayside")
    }

    func client() -> OperatorClient { OperatorClient(socket: EngineConfiguration.operatorSocket(data: dataFolder)) }
}

/// Which node a command asks, and for whom the answer is printed.
struct OperatorOptions: ParsableArguments {
    @OptionGroup var place: NodeOptions

    @Option(help: "table for people, json for programs.")
    var output: OutputFormat = .table

    var dataFolder: FilePath { place.dataFolder }

    /// An answer to be written for people; `nil` when it is for programs, which it is printed for as it came.
    func readable<Answer: Decodable>(_ data: Data, as type: Answer.Type) throws -> Answer? {
        guard output == .table else {
            print(String(decoding: data, as: UTF8.self))
            return nil
        }
        return try OperatorClient.decode(data, as: type)
    }

    func client() -> OperatorClient { place.client() }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}
