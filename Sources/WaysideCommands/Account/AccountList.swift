internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import FunctionCatalog

struct AccountList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists accounts and the ids of their access keys.")

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let accounts = try AccountCommand.catalog(in: node.dataFolder).accounts()
        if node.output == .json {
            print(try AccountReport.json(accounts.map { AccountReport($0) }))
            return
        }
        var table = Table(header: ["ACCOUNT", "NAME", "ISOLATION", "ACCESS KEYS"])
        for account in accounts {
            table.rows.append([
                account.id.description, account.name, account.isolation.rawValue, account.accessKeyIDs.joined(separator: " "),
            ])
        }
        print(table.render())
    }
}
