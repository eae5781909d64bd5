internal import ArgumentParser
internal import EngineCore
internal import Frontend
internal import NIOHTTP1

struct PoolReserve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reserve", abstract: "Keeps containers of a function started ahead, or sets memory aside for some accounts.",
        discussion: """
            wayside pool reserve hello:3 --count 2            two containers of version 3, initialised before they are asked for
            wayside pool reserve hello --count 0              no more
            wayside pool reserve fixed/gold --memory 1024     1 GiB for the accounts whose permission names 'gold'
            """)

    @Argument(help: "A function by name or ARN, with or without a version, or fixed/NAME.")
    var target: String

    @Option(help: "Containers of the function; 0 ends it.")
    var count: Int?

    @Option(help: "Memory of the fixed sub-pool in MiB; 0 ends it.")
    var memory: Int?

    @Option(help: "The account of the function, where several have one of this name.")
    var account: String?

    @OptionGroup var node: OperatorOptions

    /// No function's name has a slash.
    private var isSubPool: Bool { target.contains("/") }

    func validate() throws {
        guard isSubPool else {
            guard count != nil, memory == nil else { throw ValidationError("Give --count for a function: how many containers of it.") }
            return
        }
        guard case .fixed = try SubPoolID.argument(target) else {
            throw ValidationError(
                "'\(target)' cannot be reserved. Name a function, or fixed/NAME; for a general sub-pool see `wayside pool set`.")
        }
        guard memory != nil, count == nil, account == nil else {
            throw ValidationError(
                "Give --memory for a fixed sub-pool: how many MiB; who may use it is said by `wayside account set`.")
        }
    }

    private struct Reservation: Encodable {
        let function: String
        let account: String?
        let count: Int
    }

    func run() async throws {
        if let memory {
            try await SubPoolRequest.send(.PUT, try SubPoolID.argument(target).path, ["memoryMebibytes": memory], node)
        } else {
            try await SubPoolRequest.send(
                .POST, "/v1/reserve", Reservation(function: target, account: account, count: count ?? 0), node)
        }
    }
}

/// Asks for the change of a sub-pool and shows what it is then.
enum SubPoolRequest {
    static func send(_ method: NIOHTTP1.HTTPMethod, _ path: String, _ body: some Encodable, _ node: OperatorOptions) async throws {
        let data = try await node.client().send(method, path, body: Array(try JSONText.of(body).utf8))
        guard let answer = try node.readable(data, as: SubPoolAnswer.self) else { return }
        guard let pool = answer.subPool else {
            print("\(answer.changed) is no more")
            return
        }
        print(SubPoolDescription(pool: pool, width: Terminal.columns).render())
    }
}
