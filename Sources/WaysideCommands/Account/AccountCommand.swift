internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import FunctionCatalog
internal import SystemPackage

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "The accounts of a node and their access keys.",
        discussion: "These write to the node's catalog, whether or not the node is running.",
        subcommands: [AccountCreate.self, AccountList.self, AccountSet.self])

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
        let accounts = try AccountCommand.catalog(in: node.dataFolder).accounts()
        if node.output == .json {
            let object = accounts.map { account -> [String: Any] in
                [
                    "account": account.id.description, "name": account.name, "accessKeyIDs": account.accessKeyIDs,
                    "isolation": account.isolation.rawValue,
                ]
            }
            print(String(decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self))
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

struct AccountSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes how the containers of an account's functions are started.",
        discussion: """
            shared: forked from a booted interpreter, quickly; all containers of a runtime then have one address-space layout. \
            exec: executed anew for each container. Every version gets a new revision, so that containers of the other kind \
            finish their calls and take no more.
            """)

    @Argument(help: "Twelve digits.")
    var id: String

    @Option(help: "shared or exec.", transform: Self.isolation)
    var isolation: SandboxPolicy.Isolation

    @OptionGroup var node: OperatorOptions

    @Sendable
    private static func isolation(_ text: String) throws -> SandboxPolicy.Isolation {
        guard let isolation = SandboxPolicy.Isolation(rawValue: text) else { throw ValidationError("give shared or exec") }
        return isolation
    }

    func run() async throws {
        let account = try AccountCommand.account(id)
        _ = try AccountCommand.catalog(in: node.dataFolder).setIsolation(isolation, account: account)
        if node.output == .table {
            print("account \(account) has isolation \(isolation.rawValue); a node that runs takes it over within a second")
        }
    }
}
