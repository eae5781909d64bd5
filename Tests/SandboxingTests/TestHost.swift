import EngineCore
import Foundation
import Logging
import NIOCore
import NIOPosix
import Sandboxing
import Synchronization

/// A `SandboxHost` with the real launcher and the real runtimes, in a folder of its own. Needs root, as the launcher does.
final class TestHost: Sendable {
    let folder: URL
    let host: SandboxHost
    let events: AsyncStream<SandboxHostEvent>
    let configuration: SandboxHostConfiguration
    private let numbers = Mutex<UInt64>(0)

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private init(_ adjust: (inout SandboxHostConfiguration) -> Void, egress: (any EgressServing)?, in folder: URL) throws {
        self.folder = folder
        for name in ["content", "state"] {
            try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        let binaries = Self.root.appending(path: ".build/sandbox")
        var configuration = SandboxHostConfiguration(
            launcher: binaries.appending(path: "wayside-launcher").path,
            zygoteLibrary: binaries.appending(path: "libwayside-zygote.so").path, runtimes: Self.root.appending(path: "Runtimes").path,
            content: folder.appending(path: "content").path, state: folder.appending(path: "state").path, socketDirectory: folder.path,
            cgroup: folder.lastPathComponent)
        adjust(&configuration)
        self.configuration = configuration
        let (stream, continuation) = AsyncStream.makeStream(of: SandboxHostEvent.self)
        events = stream
        host = try SandboxHost(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
            egress: egress, onEvent: { continuation.yield($0) })
    }

    static func newFolder() -> URL {
        FileManager.default.temporaryDirectory.appending(path: "wayside-host-\(UUID().uuidString.prefix(8).lowercased())")
    }

    /// Runs `body` with a host that takes requests, and ends it afterwards.
    static func with(
        _ adjust: (inout SandboxHostConfiguration) -> Void = { _ in }, egress: (any EgressServing)? = nil,
        _ body: @escaping @Sendable (TestHost) async throws -> Void
    ) async throws {
        let folder = newFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try await with(adjust, egress: egress, in: folder, body)
    }

    /// The same, in a folder that other hosts were in before, or will be.
    static func with(
        _ adjust: (inout SandboxHostConfiguration) -> Void = { _ in }, egress: (any EgressServing)? = nil, in folder: URL,
        _ body: @escaping @Sendable (TestHost) async throws -> Void
    ) async throws {
        let test = try TestHost(adjust, egress: egress, in: folder)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await test.host.run() }
            do {
                try await test.host.waitUntilReady()
                try await body(test)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    func number() -> UInt64 {
        numbers.withLock { number in
            number = max(number, host.parked.highestNumber) + 1
            return number
        }
    }

    /// The next event for which `wanted` is true; earlier ones are passed over.
    func event(_ wanted: (SandboxHostEvent) -> Bool) async {
        for await event in events where wanted(event) { return }
    }

    /// Puts files (name → text) into the content folder; all of them executable.
    func addBundle(_ files: [String: String]) throws -> String {
        let name = "bundles/ab/\(number())"
        let bundle = folder.appending(path: "content/\(name)")
        try FileManager.default.createDirectory(at: bundle, withIntermediateDirectories: true)
        for (file, text) in files {
            let path = bundle.appending(path: file)
            if path.lastPathComponent == "bootstrap" {
                try RealLauncher.writeProgram(text, to: path)
                continue
            }
            try text.write(to: path, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path.path)
        }
        return name
    }

    /// A container for a Python function, in an instance of its own.
    func python(_ code: String, timeout: Duration = .seconds(10), memory: Int = 256) async throws -> SandboxContainer {
        try await start(["app.py": code], runtime: "python3.11", handler: "app.handler", timeout: timeout, memory: memory)
    }

    func start(
        _ files: [String: String], runtime: String, handler: String, timeout: Duration = .seconds(10), memory: Int = 256,
        environment: [String: String] = [:], sandbox: SandboxPolicy = SandboxPolicy()
    ) async throws -> SandboxContainer {
        let instance = number()
        try await host.createInstance(instance)
        let version = Self.version(
            runtime: runtime, handler: handler, timeout: timeout, memory: memory, environment: environment, sandbox: sandbox)
        return try await host.startContainer(number(), in: instance, for: version, bundle: addBundle(files))
    }

    static func version(
        runtime: String = "python3.11", handler: String = "app.handler", timeout: Duration = .seconds(10), memory: Int = 256,
        environment: [String: String] = [:], sandbox: SandboxPolicy = SandboxPolicy()
    ) -> PinnedVersion {
        guard let account = AccountID("123456789012"), let digest = ContentDigest(hex: String(repeating: "ab", count: 32)) else {
            fatalError("not an account or not a digest")
        }
        return PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "probe"), version: .latest, revision: "r", runtime: runtime,
            handler: handler, memory: .mebibytes(memory), temporaryStorage: .mebibytes(512), timeout: timeout, environment: environment,
            codeDigest: digest, codeSize: .zero, sandbox: sandbox)
    }

    static func request(
        _ payload: String = "{}", version: PinnedVersion = version(), clientContext: String? = nil,
        traceID: String = "Root=1-5759e988-bd862e3fe1be46a994272793", budget: Duration = .seconds(60)
    ) -> InvocationRequest {
        let now = EngineInstant.now()
        return InvocationRequest(
            id: RequestID(), function: version, invokedARN: version.arn, payload: ByteBuffer(string: payload), clientContext: clientContext,
            traceID: traceID, arrival: now, deadline: now + budget, origin: .client)
    }
}

extension SandboxHost {
    func startContainer(
        _ container: UInt64, in instance: UInt64, isNew: Bool = false, for version: PinnedVersion, bundle: String
    ) async throws(SandboxError) -> SandboxContainer {
        let home = currentHome
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<SandboxContainer, SandboxError>, Never>) in
            startContainer(
                container, in: instance, isNew: isNew, for: version, bundle: bundle, at: home, launched: { _ in },
                completion: { continuation.resume(returning: $0) })
        }
        return try result.get()
    }
}

extension SandboxContainer {
    func assign(to version: PinnedVersion, bundle: String) async throws(SandboxError) {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, SandboxError>, Never>) in
            assign(to: version, bundle: bundle) { continuation.resume(returning: $0) }
        }
        try result.get()
    }
}

extension ContainerAnswer {
    /// The result as text; `nil` unless the function succeeded.
    var result: String? {
        guard case .success(let payload) = outcome else { return nil }
        return String(buffer: payload)
    }

    /// The error object as text; `nil` unless the function failed.
    var failure: String? {
        guard case .functionError(let payload) = outcome else { return nil }
        return String(buffer: payload)
    }

    var log: String { String(buffer: output.text) }
}
