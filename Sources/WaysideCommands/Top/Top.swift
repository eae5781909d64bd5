internal import ArgumentParser
internal import EngineCore
internal import Foundation

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Shows the node's capacity and its busiest functions, live.",
        discussion: "q or Ctrl-C ends it. Where standard output is no terminal, everything is printed once.")

    @Option(help: "How often it is drawn anew: 1s, 10s. Default: 1s.")
    var every: TimeArgument?

    @OptionGroup var node: OperatorOptions

    /// The newest invocations that the functions' figures are made of.
    private static let recordsMax = 500

    func validate() throws {
        guard node.output == .table || every == nil else { throw ValidationError("--output json is printed once. Leave out --every.") }
    }

    func run() async throws {
        let client = node.client()
        guard node.output == .table, Terminal.size != nil else {
            let moment = try await Self.moment(client)
            let text = moment.render(width: Terminal.width, height: nil).joined(separator: "\n")
            print(node.output == .json ? try JSONText.of(moment) : text)
            return
        }
        let screen = try LiveScreen()
        defer { screen.restore() }
        var last: TopMoment?
        repeat {
            let size = Terminal.size ?? (columns: 80, lines: 24)
            do {
                let moment = try await Self.moment(client)
                screen.draw(moment.render(width: size.columns, height: size.lines))
                last = moment
            } catch let failure as CommandFailure {
                // A node that is started anew comes back on the same screen; one that never answered is not there.
                guard let last else { throw failure }
                screen.draw(last.render(width: size.columns, height: size.lines, trouble: failure.description))
            }
        } while try await !screen.isEnded(within: .seconds(every?.seconds ?? 1))
    }

    private static func moment(_ client: OperatorClient) async throws -> TopMoment {
        struct Status: Decodable { let node: String }
        let status = try await client.get("/v1/status", as: Status.self)
        let pools = try await client.get("/v1/pools", as: PoolsReport.self)
        let records = try await client.records(limit: recordsMax, function: nil)
        return TopMoment(node: status.node, now: Date(), pools: pools, functions: FunctionRates(records, limit: recordsMax, now: Date()))
    }
}
