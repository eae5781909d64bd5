internal import ArgumentParser
internal import EngineCore
internal import Foundation
internal import Frontend
internal import NIOCore
internal import NIOHTTP1

struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox", abstract: "What a function's sandbox permits, and how little it needs.",
        subcommands: [SandboxExplain.self, SandboxLearn.self])
}

/// Which function a sandbox is asked about.
struct SandboxTarget: ParsableArguments {
    @Argument(help: "The function's name or ARN.")
    var function: String

    @Option(help: "The account of the function, where several have one of this name.")
    var account: String?

    @Option(help: "A version or $LATEST.")
    var qualifier: String?

    /// Parameters of the operator's API, with the question mark.
    var query: String {
        let parameters = [("function", function), ("account", account), ("qualifier", qualifier)]
        return "?" + parameters.compactMap { name, value in value.map { "\(name)=\(LambdaClient.component($0))" } }.joined(separator: "&")
    }
}

struct SandboxExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Shows what holds for the function's sandbox, layer by layer.",
        discussion: "Starts a container of the function beside the others and asks the kernel about it. The function's code may be loaded.")

    @OptionGroup var target: SandboxTarget

    @Flag(name: .shortAndLong, help: "Every mount and every system call, the refused ones with their reasons.")
    var verbose = false

    @OptionGroup var node: OperatorOptions

    func run() async throws {
        let data = try await node.client().send(.GET, "/v1/sandbox\(target.query)", timeout: .seconds(120))
        guard let answer = try node.readable(data, as: SandboxAnswer.self) else { return }
        print(SandboxExplanation(answer: answer, isVerbose: verbose, width: Terminal.columns).render())
    }
}

struct SandboxLearn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "learn", abstract: "Runs the function, watches its system calls, and prints a profile of just these.",
        discussion: """
            The function really runs, once for each event, in a container beside the others; it is slower than usual. Give events \
            that take every way through it: a call that was not seen is refused later. Deploy with the profile by `wayside deploy \
            --seccomp-profile`.
            """)

    @OptionGroup var target: SandboxTarget

    @Option(help: "An event: JSON text, @FILE, or - for standard input; may be repeated, up to 32 times. Default: {}.")
    var payload: [String] = []

    @OptionGroup var node: OperatorOptions

    /// What a recording may take, the last event of the longest function, and some for the start.
    private static let timeout = 300 + 900 + 120

    func run() async throws {
        var events = Data()
        for text in payload.isEmpty ? ["{}"] : payload {
            let event = Data(try EventArgument.bytes(text))
            guard (try? JSONSerialization.jsonObject(with: event, options: .fragmentsAllowed)) != nil else {
                throw CommandFailure("The event '\(text.prefix(100))' is not JSON.")
            }
            if !events.isEmpty { events.append(contentsOf: ",".utf8) }
            events.append(event)
        }
        let body = Data("{\"events\":[".utf8) + events + Data("]}".utf8)
        Terminal.note("running \(target.function) \(payload.count > 1 ? "\(payload.count) times" : "once") to watch it ...")
        let data = try await node.client().send(
            .POST, "/v1/sandbox/learn\(target.query)", body: Array(body), timeout: .seconds(Int64(Self.timeout)))
        guard let learned = try node.readable(data, as: LearnedProfile.self) else { return }
        guard learned.failures < learned.invocations else {
            throw CommandFailure(
                "\(target.function) failed with every event, so nothing can be said about the calls it makes when it works. Give it events "
                    + "that it answers, with --payload.")
        }
        print(try Self.profile(learned))
        Terminal.note(Self.summary(learned))
    }

    /// The file that `wayside deploy --seccomp-profile` takes.
    private static func profile(_ learned: LearnedProfile) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(["systemCalls": learned.systemCalls]), as: UTF8.self)
    }

    static func summary(_ learned: LearnedProfile) -> String {
        let count = learned.systemCalls.count
        var text = "\(count) system call\(count == 1 ? "" : "s") in \(learned.invocations) "
            + "invocation\(learned.invocations == 1 ? "" : "s")"
        if let permitted = learned.permittedByRuntime {
            text += "; \(max(0, permitted - count)) fewer than the \(permitted) of its runtime"
        }
        if learned.failures > 0 {
            text += "\n\(learned.failures) of the invocations failed; what the function does otherwise was not seen"
        }
        return text
    }
}
