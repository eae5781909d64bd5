internal import ArgumentParser
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
        var table = Table(header: ["WHAT", "COUNT"])
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { table.rows.append([name, "\(count)"]) }
        print(table.render())
    }
}
