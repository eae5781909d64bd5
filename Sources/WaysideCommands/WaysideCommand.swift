public import ArgumentParser

/// The program: a node, and the operator's and owner's tool.
public struct WaysideCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "wayside",
        abstract: "Runs short functions near the people who call them, and forwards what is rare to a region.",
        discussion: """
            Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 the function itself failed; 64 wrong use.
            """,
        version: "0.1.0",
        subcommands: [
            Serve.self, LauncherCommand.self, Deploy.self, Invoke.self, Logs.self, Explain.self, WhyCold.self, Top.self,
            FunctionCommand.self, PoolCommand.self, InstanceCommand.self, ContainerCommand.self, StickyCommand.self,
            RegionCommand.self, SandboxCommand.self, SimulateCommand.self, RecordCommand.self, AccountCommand.self, CertCommand.self,
        ])

    public init() {}

    /// Runs what the command line says, and ends with one of the exit codes. What could not be printed has failed.
    public static func execute() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            try StandardOutput.flush()
        } catch {
            exit(withError: error)
        }
    }
}

/// A failure that the command reports and ends with.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    /// The API's name of the error, when it is one of the API's.
    let code: String?
    /// The call's, where the API gave it one.
    let requestID: String?

    init(_ description: String, code: String? = nil, requestID: String? = nil) {
        self.description = description
        self.code = code
        self.requestID = requestID
    }
}
