internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import FunctionCatalog

struct AccountShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows an account and what it may take of the node's capacity.",
        discussion: "What is reserved and provisioned for its functions is set and shown with the AWS clients.")

    @Argument(help: "Twelve digits.")
    var id: String

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let id = try AccountCommand.account(id)
        let account = try AccountCommand.catalog(in: node.dataFolder).account(id)
        if node.output == .json {
            print(try AccountReport.json(AccountReport(account)))
        } else {
            print(Self.text(account, width: Terminal.columns))
        }
    }

    /// - Parameter width: columns.
    static func text(_ account: Account, width: Int) -> String {
        let permission = account.permission
        var lines = Paragraph(width: width, labelWidth: 13)
        lines.add("account", account.id.description)
        lines.add("name", account.name.isEmpty ? "-" : account.name)
        lines.add("access keys", account.accessKeyIDs.isEmpty ? "-" : account.accessKeyIDs.joined(separator: " "))
        lines.add("isolation", account.isolation.rawValue)
        lines.add("may grow", permission.mayGrow ? "yes" : "no: it has what it holds and what is dedicated to it")
        lines.add("instances", permission.instancesMax.map { "at most \($0)" } ?? "no limit of its own")
        lines.add("memory", permission.memoryMax.map { "at most \($0)" } ?? "no limit of its own")
        lines.add("sub-pools", subPools(permission))
        lines.add("on shortage", shortage(permission.shortage))
        lines.add("bid", permission.bid.map { "\($0) for a GiB-hour" } ?? "none: it takes no variable capacity")
        return lines.lines.joined(separator: "\n")
    }

    private static func subPools(_ permission: CapacityPermission) -> String {
        guard !permission.kinds.isEmpty else { return "none but its dedicated ones" }
        let kinds = permission.kinds.map(\.rawValue).sorted().joined(separator: ", ")
        return permission.named.map { "\(kinds); of fixed and variable ones \($0.sorted().joined(separator: ", "))" } ?? kinds
    }

    private static func shortage(_ shortage: CapacityPermission.Shortage) -> String {
        switch shortage {
        case .spill: "spill: a call takes other capacity when the function's dedicated containers are busy"
        case .wait: "wait: a call waits when the function's dedicated containers are busy"
        case .reject: "reject: a call is answered 429 when the function's dedicated containers are busy"
        }
    }
}
