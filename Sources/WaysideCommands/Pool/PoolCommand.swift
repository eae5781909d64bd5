internal import ArgumentParser
internal import EngineCore
internal import Foundation

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "The node's capacity.", subcommands: [PoolList.self])
}

struct PoolList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows what is held, what is ready and what runs.")

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get("/v1/pools")
        if node.output == .json {
            print(String(decoding: data, as: UTF8.self))
            return
        }
        let counts = try JSONDecoder().decode([String: Int].self, from: data)
        func count(_ name: String) -> String { counts[name].map { "\($0)" } ?? "-" }
        func size(_ name: String) -> String { counts[name].map { ByteCount($0).description } ?? "-" }
        var instances = Table(header: ["INSTANCES", "BOOTING", "READY"])
        instances.rows.append([count("instances"), count("instancesBooting"), count("instancesReady")])
        var containers = Table(header: ["CONTAINERS", "STARTING", "IDLE", "BUSY", "CALLS WAITING"])
        containers.rows.append([
            count("containers"), count("containersStarting"), count("containersIdle"), count("containersBusy"), count("waiting"),
        ])
        print("memory \(size("memoryHeldBytes")) of \(size("memoryBytes")) held\n")
        print(instances.render() + "\n")
        print(containers.render())
    }
}
