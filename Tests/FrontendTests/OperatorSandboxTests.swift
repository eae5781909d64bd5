import EngineCore
import Foundation
@testable import Frontend
import FunctionCatalog
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

/// What the operator asks about sandboxes, before an engine that says what it was asked.
@Suite(.timeLimit(.minutes(1))) struct OperatorSandboxTests {
    private typealias Ask = (_ method: HTTPMethod, _ target: String, _ body: String) async throws -> (status: UInt, text: String)

    private final class Events: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        func add(_ events: [ByteBuffer]) { list.withLock { $0 += events.map { String(buffer: $0) } } }
    }

    private static let report = SandboxReport(text: "dropped\n[status]\nNoNewPrivs:\t1\n\n[landlock]\nabi 4\n/tmp read write\n")

    /// Serves a catalog in which one account has `one` and `both`, and another `both`.
    private func with(
        failing code: InvocationError.Code? = nil, isComplete: Bool = true, _ body: (_ ask: Ask, Catalog, Events) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-operator-\(UInt32.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let catalog = try Catalog(directory: folder.path)
        for (digits, names) in [("123456789012", ["one", "both"]), ("210987654321", ["both"])] {
            let account = try #require(AccountID(digits))
            try catalog.createAccount(account, name: "")
            for name in names {
                _ = try catalog.create(
                    FunctionKey(account: account, region: "eu-central-1", name: name),
                    settings: FunctionSettings(
                        runtime: "python3.13", handler: "app.handler", role: "r", egress: ["api.example.com:443"], systemCalls: ["read"]),
                    code: CodeReference(digest: try #require(ContentDigest(hex: String(repeating: "ab", count: 32))), size: ByteCount(1)),
                    tags: [:], publish: true)
            }
        }
        let events = Events()
        let sandbox = SandboxServices(
            catalog: catalog,
            explain: { _ throws(InvocationError) in
                if let code { throw InvocationError(code, "because") }
                return Self.report
            },
            learn: { version, given throws(InvocationError) in
                if let code { throw InvocationError(code, "because") }
                events.add(given)
                return LearnedProfile(systemCalls: ["read", "write"], invocations: given.count, permittedByRuntime: 200)
            })
        let services = OperatorServices(
            record: { _ in nil }, newest: { _, _ in [] }, pools: { 0 }, status: { 0 }, sandbox: isComplete ? sandbox : nil)
        try await OperatorSocket.with(services) { socket in try await body({ try await socket.ask($0, $1, $2) }, catalog, events) }
    }

    @Test func `a sandbox is explained with what was asked of it and what the kernel says`() async throws {
        try await with { ask, catalog, _ in
            try catalog.setIsolation(.exec, account: try #require(AccountID("123456789012")))
            let (status, text) = try await ask(.GET, "/v1/sandbox?function=one", "")
            #expect(status == 200)
            let answer = try JSONDecoder().decode(SandboxAnswer.self, from: Data(text.utf8))
            #expect(answer.function == "arn:aws:lambda:eu-central-1:123456789012:function:one")
            #expect(answer.egress == ["api.example.com:443"] && answer.systemCalls == ["read"] && answer.isolation == .exec)
            #expect(answer.timeout == 3 && answer.memoryBytes == 128 << 20)
            #expect(answer.report == Self.report)
            #expect(answer.report.lines("landlock") == ["abi 4", "/tmp read write"] && answer.report.lines("dropped").isEmpty)
            for target in ["one:1", "one&qualifier=1", "arn:aws:lambda:eu-central-1:123456789012:function:one:1"] {
                let published = try await ask(.GET, "/v1/sandbox?function=\(target)", "")
                #expect(try JSONDecoder().decode(SandboxAnswer.self, from: Data(published.text.utf8)).version == .published(1), "\(target)")
            }
        }
    }

    @Test(arguments: [
        ("function=none", 404, "function_not_found"), ("function=one:2", 404, "function_not_found"),
        ("function=one:live", 404, "function_not_found"), ("function=one&account=210987654321", 404, "function_not_found"),
        ("function=both", 409, "function_ambiguous"), ("function=both&account=210987654321", 200, "\"report\""),
        ("function=210987654321:function:both", 200, "\"report\""),
        ("function=both&account=x", 400, "invalid_account"), ("function=a%20b", 400, "invalid_function"), ("", 400, "invalid_function"),
    ] as [(String, UInt, String)])
    func `the function that is meant is found, or it is said why not`(query: String, status: UInt, text: String) async throws {
        try await with { ask, _, _ in
            let answer = try await ask(.GET, "/v1/sandbox?\(query)", "")
            #expect(answer.status == status)
            #expect(answer.text.contains(text), "\(answer.text)")
        }
    }

    @Test func `a function is watched on the events given, as they were written, or on one empty object`() async throws {
        try await with { ask, _, events in
            let (status, text) = try await ask(.POST, "/v1/sandbox/learn?function=one", #"{"events":[{"n":1.0}, [], "x"]}"#)
            #expect(status == 200)
            let learned = try JSONDecoder().decode(LearnedProfile.self, from: Data(text.utf8))
            #expect(learned == LearnedProfile(systemCalls: ["read", "write"], invocations: 3, permittedByRuntime: 200))
            #expect(events.all == [#"{"n":1.0}"#, "[]", #""x""#])
            _ = try await ask(.POST, "/v1/sandbox/learn?function=one", "")
            _ = try await ask(.POST, "/v1/sandbox/learn?function=one", "{}")
            #expect(events.all.suffix(2) == ["{}", "{}"])
        }
    }

    @Test(arguments: [
        ("x", 400), ("[]", 400), (#"{"events":{}}"#, 400), (#"{"events":[]}"#, 400), (#"{"event":[1]}"#, 400),
        (#"{"events":[\#(Array(repeating: "1", count: 33).joined(separator: ","))]}"#, 400),
        (#"{"events":["\#(String(repeating: "x", count: 6 << 20))"]}"#, 413),
    ] as [(String, UInt)])
    func `events that are none, or too many, are refused and nothing is run`(body: String, status: UInt) async throws {
        try await with { ask, _, events in
            let answer = try await ask(.POST, "/v1/sandbox/learn?function=one", body)
            #expect(answer.status == status, "\(answer.text)")
            #expect(events.all.isEmpty)
        }
    }

    @Test(arguments: [
        (InvocationError.Code.codeUnavailable, 409), (.startFailed, 409), (.overloaded, 503), (.draining, 503), (.launcherLost, 503),
        (.deadlineExceeded, 504), (.internalFailure, 500),
    ] as [(InvocationError.Code, UInt)])
    func `what the engine could not do has a status and a reason`(code: InvocationError.Code, status: UInt) async throws {
        try await with(failing: code) { ask, _, _ in
            for (method, target) in [(HTTPMethod.GET, "/v1/sandbox"), (.POST, "/v1/sandbox/learn")] {
                let answer = try await ask(method, "\(target)?function=one", "")
                #expect(answer.status == status)
                #expect(answer.text == #"{"error":"\#(code.rawValue)","message":"because"}"#)
            }
        }
    }

    @Test func `a node without sandboxes says so, and other methods and paths are unknown`() async throws {
        try await with(isComplete: false) { ask, _, _ in
            let refused = try await ask(.GET, "/v1/sandbox?function=one", "")
            #expect(refused.status == 503)
            let unknown = [(HTTPMethod.POST, "/v1/sandbox"), (.GET, "/v1/sandbox/learn"), (.POST, "/v1/sandbox/x"), (.POST, "/v1/status")]
            for (method, target) in unknown {
                let answer = try await ask(method, "\(target)?function=one", "")
                #expect(answer.status == 404, "\(target)")
            }
        }
    }
}
