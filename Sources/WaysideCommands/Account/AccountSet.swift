internal import ArgumentParser
internal import EngineCore
internal import FunctionCatalog

struct AccountSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes what an account may take, and how its functions' containers are started.",
        discussion: """
            What is not given stays as it is. A node that runs takes it over within two seconds, for the next request that needs \
            capacity; what the account holds is not taken from it.

            --isolation shared: forked from a booted interpreter, quickly; all containers of a runtime then have one address-space \
            layout. exec: executed anew for each container. Every version gets a new revision, so that containers of the other kind \
            finish their calls and take no more.
            """)

    @Argument(help: "Twelve digits.")
    var id: String

    @Option(help: "shared or exec.", transform: Self.isolation)
    var isolation: SandboxPolicy.Isolation?

    @OptionGroup(title: "Permission") var permission: PermissionOptions

    @OptionGroup var node: OperatorOptions

    func validate() throws {
        guard isolation != nil || !permission.isEmpty else {
            throw ValidationError("Give what to change, such as --instances-max 3. `wayside account show \(id)` says what holds.")
        }
    }

    @Sendable
    private static func isolation(_ text: String) throws -> SandboxPolicy.Isolation {
        guard let isolation = SandboxPolicy.Isolation(rawValue: text) else { throw ValidationError("give shared or exec") }
        return isolation
    }

    func run() async throws {
        let account = try AccountCommand.account(id)
        let catalog = try AccountCommand.catalog(in: node.dataFolder)
        if let isolation { _ = try catalog.setIsolation(isolation, account: account) }
        if !permission.isEmpty { try catalog.setPermission(account: account, permission.apply) }
        let changed = try catalog.account(account)
        if node.output == .json {
            print(try AccountReport.json(AccountReport(changed)))
        } else {
            print(AccountShow.text(changed, width: Terminal.columns))
            Terminal.note("\na node that runs takes it over within two seconds")
        }
    }
}
