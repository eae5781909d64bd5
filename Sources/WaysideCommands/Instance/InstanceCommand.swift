internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import Frontend
internal import NIOHTTP1

struct InstanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instance", abstract: "The tenant boundaries that containers run in; each belongs to one account for ever.",
        subcommands: [InstanceList.self, InstanceShow.self, InstanceKill.self])
}

struct InstanceList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the instances, and what each holds.")

    @Option(help: "Only this account's.")
    var account: String?

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await InventoryRequest.instances(account: account, node)
        guard let instances = try node.readable(data, as: InstancesAnswer.self)?.instances else { return }
        print(InventoryTables.instances(instances).render(width: Terminal.width))
    }
}

struct InstanceShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows one instance and its containers.")

    @Argument(help: "The instance's number.")
    var instance: UInt64

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get("/v1/instances/\(instance)")
        guard let instance = try node.readable(data, as: InstanceReport.self) else { return }
        var text = Paragraph(width: Terminal.columns, labelWidth: 12)
        text.add("instance", "\(instance.instance), \(instance.state)")
        text.add("account", instance.account?.description ?? "nobody's yet")
        text.add("sub-pool", instance.subPool?.description ?? "none")
        text.add("runtime", instance.runtime ?? "-")
        text.add("memory", Units.size(instance.memoryBytes))
        text.add("age", Units.time(instance.ageSeconds))
        print(text.lines.joined(separator: "\n"))
        if !instance.containers.isEmpty { print("\n" + InventoryTables.containers([instance]).render(width: Terminal.width)) }
    }
}

struct InstanceKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Ends an instance with all its containers.",
        discussion: "Calls that run in it are answered with an error that says so. `wayside pool drain` lets them end.")

    @Argument(help: "The instance's number.")
    var instance: UInt64

    @OptionGroup var node: OperatorOptions

    func run() async throws { try await InventoryRequest.kill("/v1/instances/\(instance)", node) }
}

/// Requests that several commands make.
enum InventoryRequest {
    static func instances(account: String?, _ node: OperatorOptions) async throws -> Data {
        try await node.client().get("/v1/instances" + (account.map { "?account=\(LambdaClient.component($0))" } ?? ""))
    }

    static func kill(_ path: String, _ node: OperatorOptions) async throws {
        let data = try await node.client().send(.DELETE, path)
        guard let answer = try node.readable(data, as: KillAnswer.self) else { return }
        let numbers = answer.containers.map(String.init).joined(separator: ", ")
        let containers = numbers.isEmpty ? "no container" : "container\(answer.containers.count == 1 ? "" : "s") \(numbers)"
        print("ended \(containers) of instance \(answer.instance)" + (answer.busy > 0 ? "; \(answer.busy) ran a call" : ""))
    }
}
