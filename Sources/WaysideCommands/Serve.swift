internal import ArgumentParser
internal import Engine
internal import Foundation
internal import Logging
internal import NIOPosix
internal import SystemPackage

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs a node: a POP or a region, as its configuration says.")

    @Option(help: "The configuration file (YAML). Without it every key has its default; see Config/wayside.yaml.")
    var config: String?

    @Flag(help: "Checks the configuration and ends.")
    var check = false

    func run() async throws {
        let configuration = try await EngineConfiguration(file: config.map { FilePath($0) })
        if check {
            print("The configuration is good.")
            return
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "wayside")
        logger.logLevel = configuration.logLevel
        try await Engine(configuration: configuration, logger: logger).run()
    }
}
