internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import FunctionCatalog
internal import SystemPackage

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "The accounts of a node and their access keys.",
        discussion: "These write to the node's catalog, whether or not the node is running.",
        subcommands: [AccountCreate.self, AccountList.self, AccountShow.self, AccountSet.self])

    /// - Throws: `CommandFailure` when there is none, rather than to make one that no node uses.
    static func catalog(in folder: FilePath) throws -> Catalog {
        guard hasCatalog(folder) else { throw CommandFailure("There is no catalog in \(folder). Give the node's --data.") }
        return try Catalog(directory: folder.string)
    }

    static func account(_ id: String) throws -> AccountID {
        guard let account = AccountID(id) else { throw ValidationError("'\(id)' is not an account. Give twelve digits.") }
        return account
    }

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
        let account = try AccountCommand.account(id)
        let isNew = !AccountCommand.hasCatalog(node.dataFolder)
        let catalog = try Catalog(directory: node.dataFolder.string)
        if isNew { Terminal.note("there was no catalog in \(node.dataFolder); made a new one") }
        if !(try catalog.accounts().contains { $0.id == account }) {
            try catalog.createAccount(account, name: name)
        } else if !name.isEmpty {
            throw CommandFailure("Account \(id) is there already and keeps its name. Leave out --name to make one more access key of it.")
        }
        let key = try catalog.createAccessKey(account: account)
        if node.output == .json {
            let made = Made(account: id, accessKeyID: key.id, secretAccessKey: key.secret)
            print(String(decoding: try JSONEncoder().encode(made), as: UTF8.self))
        } else {
            print("export AWS_ACCESS_KEY_ID=\(key.id)\nexport AWS_SECRET_ACCESS_KEY=\(key.secret)")
        }
    }
}
