internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import Frontend

struct WhyCold: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why-cold", abstract: "Shows a function's last cold starts, and what would have made them warm.")

    @Argument(help: "The function's name or ARN, with or without a version.")
    var function: String

    @Option(help: "The account of the function, where several have one of this name.")
    var account: String?

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let owner = account.map { "&account=\(LambdaClient.component($0))" } ?? ""
        let data = try await node.client().get("/v1/why-cold?function=\(LambdaClient.component(function))\(owner)")
        guard let answer = try node.readable(data, as: ColdStartsAnswer.self) else { return }
        print(ColdStartListing(answer: answer, width: Terminal.columns, now: Date()).render())
    }
}

/// The cold starts as a person reads them, newest first; a remedy that holds for several is said once.
struct ColdStartListing {
    let answer: ColdStartsAnswer
    let width: Int
    let now: Date

    func render() -> String {
        guard !answer.coldStarts.isEmpty else { return "\(answer.function)\n\nNo call of it began cold here, as far as is remembered." }
        var text = Paragraph(width: width, labelWidth: 22)
        for start in answer.coldStarts {
            let way = start.branch.map { " It got \(CapacityWords.way($0))." } ?? ""
            let request = start.requestID.map { " (request \($0))" } ?? ""
            text.add(Units.moment(start.whenEpochSeconds, now: now), start.sentence + way + request)
        }
        text.addBlank()
        for (remedy, count) in remedies {
            text.add(answer.coldStarts.count == 1 ? "what would have helped" : "for \(count) of \(answer.coldStarts.count)", remedy)
        }
        return "\(answer.function)\n\n" + text.lines.joined(separator: "\n")
    }

    private struct Kind: Hashable {
        let cause: ColdCause
        let version: FunctionVersion?
    }

    /// What would have helped, for the most starts first. Of those of one cause that differ in numbers, the largest helps all.
    private var remedies: [(remedy: String, count: Int)] {
        var counts: [String: Int] = [:]
        for starts in Dictionary(grouping: answer.coldStarts, by: { Kind(cause: $0.cause, version: $0.version) }).values {
            guard let most = starts.max(by: { Self.need($0) < Self.need($1) }) else { continue }
            counts[most.remedy, default: 0] += starts.count
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }

    private static func need(_ start: ColdStartReport) -> Double {
        Double(start.details.busy ?? 0) + (start.details.endedAgoSeconds ?? 0) + (start.details.idleSeconds ?? 0)
    }
}
