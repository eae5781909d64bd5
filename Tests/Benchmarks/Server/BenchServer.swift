import ArgumentParser
import Engine
import Hummingbird
import Logging
import SystemPackage

/// A node and, in the same process and on the same event loops, a plain Hummingbird route that answers with the body it got: what the
/// HTTP framework costs by itself.
struct BenchServer: AsyncParsableCommand {
    @Option(help: "The node's configuration.")
    var config: String

    @Option(help: "The port of the echo route, on 127.0.0.1.")
    var echoPort: Int

    func run() async throws {
        let configuration = try await EngineConfiguration(file: FilePath(config))
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "bench")
        logger.logLevel = configuration.logLevel
        let router = Router()
        router.post("echo") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: body))
        }
        let echo = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: echoPort)), logger: logger)
        let engine = Engine(configuration: configuration, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await engine.run() }
            group.addTask { try await echo.run() }
            try await group.next()
            group.cancelAll()
        }
    }
}

@main
struct Main {
    static func main() async {
        WaysideProcess.runTasksOnEventLoops()
        await BenchServer.main()
    }
}
