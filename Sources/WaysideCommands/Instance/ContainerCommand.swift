internal import ArgumentParser
internal import Foundation
internal import Frontend

struct ContainerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container", abstract: "What functions run in: one version of one function each, in an instance of its account.",
        subcommands: [ContainerList.self, ContainerKill.self])
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

struct ContainerKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Ends one container.",
        discussion: "A call that runs in it is answered with an error that says so. Routing values that led to it get another.")

    @Argument(help: "The container's number.")
    var container: UInt64

    @OptionGroup var node: OperatorOptions

    func run() async throws { try await InventoryRequest.kill("/v1/containers/\(container)", node) }
}
