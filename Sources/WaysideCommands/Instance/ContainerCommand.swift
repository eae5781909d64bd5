internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import Frontend
internal import NIOHTTP1

struct ContainerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container", abstract: "What functions run in: one version of one function each, in an instance of its account.",
        subcommands: [ContainerList.self, ContainerPin.self, ContainerKill.self])
}

struct ContainerList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists containers with their instance, account, function, version and state.")

    @Option(help: "Only this account's.")
    var account: String?

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await InventoryRequest.instances(account: account, node)
        let instances = try OperatorClient.decode(data, as: InstancesAnswer.self).instances
        if node.output == .json {
            print(try JSONText.of(["containers": instances.flatMap(\.containers)]))
        } else {
            print(InventoryTables.containers(instances).render(width: Terminal.width))
        }
    }
}

struct ContainerPin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Keeps one container: it is not ended for room, nor because it has been idle for long.",
        discussion: "It goes with its instance when that has reached its age. How many are kept of a function: `wayside pool reserve`.")

    @Argument(help: "The container's number.")
    var container: UInt64

    @Flag(help: "Lets it go again.")
    var off = false

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().send(off ? .DELETE : .PUT, "/v1/containers/\(container)/pin")
        guard let report = try node.readable(data, as: ContainerReport.self) else { return }
        print("container \(report.container) is \(report.isPinned ? "pinned" : "pinned no more")")
    }
}

struct ContainerKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Ends one container.",
        discussion: "A call that runs in it is answered with an error that says so. Routing values that led to it get another.")

    @Argument(help: "The container's number.")
    var container: UInt64

    @OptionGroup var node: OperatorOptions

    func run() async throws { try await InventoryRequest.kill("/v1/containers/\(container)", node) }
}
