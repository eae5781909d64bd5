internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import FunctionCatalog
internal import SystemPackage

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "The accounts of a node and their access keys.",
        discussion: "These write to the node's catalog, whether or not the node is running.",
        subcommands: [AccountCreate.self, AccountList.self])

    static func hasCatalog(_ folder: FilePath) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending("catalog.sqlite").string)
    }
}

struct AccountCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes an account, or one more access key of it, and prints the key. It cannot be printed again.")

    @Argument(help: "Twelve digits.")
    var id: String

    @Option(help: "A name for people.")
    var name = ""

    @OptionGroup var node: OperatorOptions

    private struct Made: Encodable {
        let account, accessKeyID, secretAccessKey: String
    }

    func run() async throws {
        guard let account = AccountID(id) else { throw ValidationError("'\(id)' is not an account. Give twelve digits.") }
        if !AccountCommand.hasCatalog(node.dataFolder) {
            FileHandle.standardError.write(Data("there was no catalog in \(node.dataFolder); made a new one\n".utf8))
        }
        let catalog = try Catalog(directory: node.dataFolder.string)
        if !(try catalog.accounts().contains { $0.id == account }) { try catalog.createAccount(account, name: name) }
        let key = try catalog.createAccessKey(account: account)
        if node.output == .json {
            let made = Made(account: id, accessKeyID: key.id, secretAccessKey: key.secret)
            print(String(decoding: try JSONEncoder().encode(made), as: UTF8.self))
        } else {
            print("export AWS_ACCESS_KEY_ID=\(key.id)\nexport AWS_SECRET_ACCESS_KEY=\(key.secret)")
        }
    }
}

struct AccountList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists accounts and the ids of their access keys.")

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        guard AccountCommand.hasCatalog(node.dataFolder) else {
            throw CommandFailure("There is no catalog in \(node.dataFolder). Give the node's --data.")
        }
        let accounts = try Catalog(directory: node.dataFolder.string).accounts()
        if node.output == .json {
            let object = accounts.map { ["account": $0.id.description, "name": $0.name, "accessKeyIDs": $0.accessKeyIDs] as [String: Any] }
            print(String(decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self))
            return
        }
        var table = Table(header: ["ACCOUNT", "NAME", "ACCESS KEYS"])
        for account in accounts {
            table.rows.append([account.id.description, account.name, account.accessKeyIDs.joined(separator: " ")])
        }
        print(table.render())
    }
}
