internal import ArgumentParser
internal import EngineCore
internal import NIOHTTP1

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "The node's capacity: what is kept ready, for whom, and what came of it.",
        discussion: """
            Changes hold at once and until the node ends; what shall stay belongs into its configuration. What a change would do can be \
            tried on a recorded trace with `wayside simulate`.
            """,
        subcommands: [
            PoolList.self, PoolShow.self, PoolSet.self, PoolReserve.self, PoolLend.self, PoolDrain.self, PoolResume.self,
        ])
}

struct PoolList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows what is held, what is ready and what runs.",
        discussion: """
            WARM, OWN, POOL and NEW are the shares of calls that found an idle container, began one in an instance of their account, took \
            an instance of the warming pool, or had a new one made.
            """)

    @Flag(help: "Also what each account has used of each sub-pool.")
    var ledger = false

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().get("/v1/pools")
        guard let pools = try node.readable(data, as: PoolsReport.self) else { return }
        print(PoolListing(report: pools, showsLedger: ledger, width: Terminal.width).render())
    }
}

struct PoolShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows all that is known of one sub-pool.")

    @Argument(help: "A sub-pool as `wayside pool list` shows it, such as general/python/128; common for what comes from none.")
    var subPool: String

    @OptionGroup var node: OperatorOptions

    func validate() throws {
        _ = try name
    }

    /// `nil`: the common memory.
    private var name: SubPoolID? {
        get throws { subPool == SubPoolReport.commonTitle ? nil : try SubPoolID.argument(subPool) }
    }

    func run() async throws {
        let name = try name
        let pools = try await node.client().get("/v1/pools", as: PoolsReport.self).subPools
        guard let pool = pools.first(where: { $0.name == name }) else {
            let known = pools.map(\.title).sorted().joined(separator: ", ")
            throw CommandFailure("There is no sub-pool \(subPool). " + (known.isEmpty ? "There are none." : "There are: \(known)."))
        }
        print(node.output == .json ? try JSONText.of(pool) : SubPoolDescription(pool: pool, width: Terminal.columns).render())
    }
}

struct PoolSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes how much a sub-pool keeps ready, or how much memory is set aside.")

    @Argument(help: "general/RUNTIME/MIB for --floor and --ceiling, fixed/NAME for --memory.")
    var subPool: String

    @Option(help: "Instances that are kept ready at least.")
    var floor: Int?

    @Option(help: "Instances that are kept ready at most.")
    var ceiling: Int?

    @Option(help: "Memory that is set aside, in MiB; 0 ends a fixed sub-pool.")
    var memory: Int?

    @OptionGroup var node: OperatorOptions

    func validate() throws {
        guard floor != nil || ceiling != nil || memory != nil else {
            throw ValidationError("Nothing is to be changed. Give --floor, --ceiling or --memory.")
        }
        _ = try SubPoolID.argument(subPool)
    }

    func run() async throws {
        let change = ["floor": floor, "ceiling": ceiling, "memoryMebibytes": memory].compactMapValues { $0 }
        try await SubPoolRequest.send(.PUT, try SubPoolID.argument(subPool).path, change, node)
    }
}

struct PoolLend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lend", abstract: "Lends memory of a fixed sub-pool to everybody, for a time or until it is recalled.",
        discussion: "When it is taken back, idle containers that hold it are ended first; what runs may end.")

    @Argument(help: "fixed/NAME.")
    var subPool: String

    @Option(help: "Memory in MiB; 0 recalls what is lent.")
    var memory: Int

    @Option(name: .customLong("for"), help: "For how long: 90s, 10m, 2h, 1d. Default: until it is recalled.")
    var time: TimeArgument?

    @OptionGroup var node: OperatorOptions

    func validate() throws { _ = try SubPoolID.argument(subPool) }

    func run() async throws {
        let loan = ["mebibytes": memory, "seconds": time?.seconds].compactMapValues { $0 }
        try await SubPoolRequest.send(.POST, try SubPoolID.argument(subPool).path + "/lend", loan, node)
    }
}

struct PoolDrain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Closes a sub-pool: nothing new is taken from it, what is idle ends, what runs may end.")

    @Argument(help: "A sub-pool as `wayside pool list` shows it.")
    var subPool: String

    @OptionGroup var node: OperatorOptions

    func validate() throws { _ = try SubPoolID.argument(subPool) }

    func run() async throws {
        try await SubPoolRequest.send(.POST, try SubPoolID.argument(subPool).path + "/drain", [String: Int](), node)
    }
}

struct PoolResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "Opens a sub-pool that was drained.")

    @Argument(help: "A sub-pool as `wayside pool list` shows it.")
    var subPool: String

    @OptionGroup var node: OperatorOptions

    func validate() throws { _ = try SubPoolID.argument(subPool) }

    func run() async throws {
        try await SubPoolRequest.send(.POST, try SubPoolID.argument(subPool).path + "/resume", [String: Int](), node)
    }
}
