internal import ArgumentParser
internal import Engine
internal import Glibc
internal import SystemPackage

struct LauncherCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launcher", abstract: "Becomes the launcher of a node that runs as another user.",
        discussion: """
            For `sandbox.launcherSocket`: start this as root and `wayside serve` as the node's user, both with the same configuration. It \
            makes the data folder for that user and then is the launcher, which starts sandboxes for that user alone.
            """)

    @Option(help: "The node's configuration file.")
    var config: String

    @Option(help: "The user id of the node.")
    var user: UInt32

    func run() async throws {
        let command = try await EngineConfiguration(file: FilePath(config)).launcherCommand(user: user)
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        execv(command[0], &arguments)
        throw CommandFailure("\(command[0]) cannot be executed: \(Errno(rawValue: errno)).")
    }
}
