import EngineCore
import Foundation
import NIOCore
import Testing

@testable import Sandboxing

/// The words of failures, the environment, the log and the manifests.
@Suite struct FunctionFailureTests {
    static let id = RequestID("8f5e1c0a-0000-4000-8000-000000000001") ?? RequestID()

    static let failures: [(FunctionFailure, String)] = [
        (.timedOut(id, after: .milliseconds(1009), epochMilliseconds: 0), "Sandbox.Timedout|Task timed out after 1.00 seconds"),
        (.timedOut(id, after: .seconds(900), epochMilliseconds: 0), "Sandbox.Timedout|Task timed out after 900.00 seconds"),
        (.timedOut(id, after: .milliseconds(60), epochMilliseconds: 0), "Sandbox.Timedout|Task timed out after 0.06 seconds"),
        (.exited(id, .exited(status: 0)), "Runtime.ExitError|Runtime exited without providing a reason"),
        (.exited(id, .exited(status: 127)), "Runtime.ExitError|Runtime exited with error: exit status 127"),
        (.exited(id, .signaled(9)), "Runtime.ExitError|Runtime exited with error: signal: killed"),
        (.exited(id, .signaled(11)), "Runtime.ExitError|Runtime exited with error: signal: segmentation fault"),
        (.exited(id, .signaled(40)), "Runtime.ExitError|Runtime exited with error: signal: signal 40"),
        (.exited(id, .outOfMemory), "Runtime.ExitError|Runtime exited with error: signal: killed"),
        (.invalidEntrypoint(id), "Runtime.InvalidEntrypoint|Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        (.protocolError(id, "a \"b\" \\ \n"), "Runtime.ProtocolError|Runtime broke the protocol: a \\\"b\\\" \\\\ \\n"),
    ]

    @Test(arguments: failures)
    func `failures are in Lambda's words`(failure: FunctionFailure, expected: String) {
        let parts = expected.split(separator: "|", maxSplits: 1)
        #expect(failure.errorType == parts[0])
        #expect(
            String(buffer: failure.body) == #"{"errorType":"\#(parts[0])","errorMessage":"RequestId: \#(Self.id) Error: \#(parts[1])"}"#)
        #expect(failure.logLine?.contains("\(Self.id)") == true)
    }

    @Test func `an answer that is too large has Lambda's text`() {
        let text = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        let body = String(buffer: FunctionFailure.responseTooLarge.body)
        #expect(body == #"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"\#(text)"}"#)
    }

    @Test func `a time is printed in UTC`() {
        let failure = FunctionFailure.timedOut(Self.id, after: .seconds(1), epochMilliseconds: 1_767_323_045_007)
        #expect(failure.logLine?.hasPrefix("2026-01-02T03:04:05.007Z ") == true)
        let stream = LambdaEnvironment.newLogStream(for: TestHost.version(), epochMilliseconds: 1_767_323_045_007)
        #expect(stream.hasPrefix("2026/01/02/[$LATEST]"))
    }

    @Test func `the environment has Lambda's variables, the owner's, and no credentials`() throws {
        let manifests = try RuntimeManifest.all(in: TestHost.root.appending(path: "Runtimes").path).installed
        let python = try #require(manifests.first { $0.name == "python" })
        let version = TestHost.version(environment: ["STAGE": "x", "TZ": "Europe/Berlin", "AWS_REGION": "mars-1"])
        let variables = LambdaEnvironment(for: version, manifest: python, logStream: "s").byName
        #expect(variables["STAGE"] == "x")
        #expect(variables["TZ"] == "Europe/Berlin")
        #expect(variables["AWS_REGION"] == "eu-central-1")
        #expect(variables["_HANDLER"] == "app.handler")
        #expect(variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11")
        #expect(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256")
        #expect(variables["AWS_LAMBDA_LOG_STREAM_NAME"] == "s")
        #expect(variables["AWS_LAMBDA_RUNTIME_API"] == nil)
        #expect(variables.keys.filter { $0.hasPrefix("AWS_ACCESS") || $0.hasPrefix("AWS_SECRET") || $0.hasPrefix("AWS_SESSION") }.isEmpty)
        let provided = try #require(manifests.first { $0.name == "provided" })
        let late = LambdaEnvironment(for: version, manifest: provided, logStream: "s")
        #expect(late.byName["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001")
        #expect(late.byName["AWS_EXECUTION_ENV"] == nil)
        #expect(late.strings.contains("STAGE=x"))
        #expect(late.strings.count == late.byName.count)
        let stream = LambdaEnvironment.newLogStream(for: version, epochMilliseconds: 1_767_323_045_007)
        #expect(stream.wholeMatch(of: /2026\/01\/02\/\[\$LATEST\][0-9a-f]{32}/) != nil)
    }

    @Test func `a built-in runtime is told its function in JSON, whatever characters that has`() throws {
        let manifests = try RuntimeManifest.all(in: TestHost.root.appending(path: "Runtimes").path).installed
        let python = try #require(manifests.first { $0.name == "python" })
        let text = "\"quoted\" \\ / \n\t\r \u{1} \u{7F} é 😀"
        let environment = LambdaEnvironment(for: TestHost.version(environment: ["TEXT": text]), manifest: python, logStream: "s")
        struct Settings: Decodable {
            let handler: String
            let environment: [String: String]
        }
        let payload = InitialisationSettings(handler: text, environment: environment).payload
        let settings = try JSONDecoder().decode(Settings.self, from: Data(payload.readableBytesView))
        #expect(settings.handler == text)
        #expect(settings.environment["TEXT"] == text)
        #expect(settings.environment == environment.byName)
    }

    @Test func `the manifests of the project are read, and a folder without any is refused`() throws {
        let folder = TestHost.root.appending(path: "Runtimes").path
        let manifests = try RuntimeManifest.all(in: folder).installed
        let bootsEarly = Dictionary(uniqueKeysWithValues: manifests.map { ($0.name, $0.bootsEarly) })
        #expect(bootsEarly["node"] == true && bootsEarly["python"] == true && bootsEarly["provided"] == false)
        for wrong in ["/nonexistent", TestHost.root.appending(path: "Sources").path] {
            let error = #expect(throws: SandboxError.self) { try RuntimeManifest.all(in: wrong) }
            #expect(error?.code == .configurationInvalid)
        }
        let error = #expect(throws: SandboxError.self) { try RuntimeManifest.decode(.init(#"{"kind":"fork"}"#.utf8), "x") }
        #expect(error?.code == .configurationInvalid)
    }

    @Test func `a manifest's family reaches the launcher, and what is not installed is left out`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-manifests-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func add(_ name: String, _ kind: String, _ command: String, family: String? = nil) throws {
            let member = family.map { #""family":"\#($0)","# } ?? ""
            let rest = #""kind":"\#(kind)",\#(member)"identifiers":["\#(name)1"],"command":"\#(command)"}"#
            let text = #"{"name":"\#(name)","description":"","# + rest
            try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
            try text.write(to: folder.appending(path: "\(name)/runtime.json"), atomically: true, encoding: .utf8)
        }
        try add("here", "fork", "/bin/sh -c x", family: "interpreter")
        try add("own", "exec_early", "/var/runtime/program")
        try add("gone", "fork", "/usr/bin/no-such-interpreter x", family: "interpreter")
        try add("late", "exec_late", "/var/task/bootstrap")
        let (installed, missing) = try RuntimeManifest.all(in: folder.path)
        #expect(missing.map(\.name) == ["gone"])
        let arguments = installed.map { $0.launcherArgument(folder: "/r") }
        let wanted = ["here:fork/interpreter:/r/here:/bin/sh -c x", "late:exec_late:/r/late:/var/task/bootstrap"]
        #expect(arguments == wanted + ["own:exec_early:/r/own:/var/runtime/program"])
        try add("odd", "fork", "/bin/sh", family: "reptile")
        let error = #expect(throws: SandboxError.self) { try RuntimeManifest.all(in: folder.path) }
        #expect(error?.code == .configurationInvalid)
    }

    @Test func `a function with an allow-list is told of its proxy, unless its owner knows better`() throws {
        let manifests = try RuntimeManifest.all(in: TestHost.root.appending(path: "Runtimes").path).installed
        let python = try #require(manifests.first { $0.name == "python" })
        let sandbox = SandboxPolicy(egress: try EgressPolicy(["api.example.com:443"]))
        let version = TestHost.version(environment: ["https_proxy": "http://mine"], sandbox: sandbox)
        let variables = LambdaEnvironment(for: version, manifest: python, logStream: "s").byName
        #expect(variables["HTTPS_PROXY"] == "http://127.0.0.1:3128")
        #expect(variables["http_proxy"] == "http://127.0.0.1:3128")
        #expect(variables["https_proxy"] == "http://mine")
        #expect(variables["no_proxy"] == "127.0.0.1,localhost")
        let closed = LambdaEnvironment(for: TestHost.version(), manifest: python, logStream: "s").byName
        #expect(closed.keys.filter { $0.lowercased().hasSuffix("_proxy") }.isEmpty)
    }

    @Test func `a log keeps its beginning and counts the rest`() {
        var capture = LogCapture(limit: ByteCount(5))
        for text in ["abc", "def", "gh"] { text.utf8.withContiguousStorageIfAvailable { capture.append(UnsafeRawBufferPointer($0)) } }
        let log = capture.take()
        #expect(String(buffer: log.text) == "abcde")
        #expect(log.droppedByteCount == 3)
        capture.drop(2)
        let next = capture.take()
        #expect(next.text.readableBytes == 0 && next.droppedByteCount == 2)
        #expect(capture.take().droppedByteCount == 0)
    }
}

extension LambdaEnvironment {
    fileprivate var byName: [String: String] { Dictionary(variables.map { ($0.name, $0.value) }) { first, _ in first } }
}
