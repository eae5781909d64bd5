import EngineCore
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Sandboxing

#if canImport(Glibc)
import Glibc
#endif

/// Instances, spare containers, aborts, and launchers that die.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SandboxHostLifeTests {
    static let sleeper = "import time\ndef handler(event, context):\n    time.sleep(60)\n"

    @Test(arguments: ["python", "node", "provided"])
    func `a spare container becomes a function's`(runtime: String) async throws {
        try await TestHost.with { test in
            let instance = test.number()
            let container = try await test.host.bootInstance(instance, spare: test.number(), runtime: runtime)
            let manifest = try #require(test.host.manifests.first { $0.name == runtime })
            let examples = ["python": "hello-python/app.py", "node": "hello-node/app.mjs", "provided": "hello-bash/bootstrap"]
            let example = TestHost.root.appending(path: "Runtimes/examples/\(try #require(examples[runtime]))")
            let bundle = try test.addBundle([example.lastPathComponent: String(contentsOf: example, encoding: .utf8)])
            let version = TestHost.version(runtime: try #require(manifest.identifiers.last))
            let early = await container.invoke(TestHost.request())
            #expect(early.surelyNotStarted)
            try await container.assign(to: version, bundle: bundle)
            let answer = await container.invoke(TestHost.request(#"{"name":"x"}"#, version: version))
            #expect(answer.result?.contains("Hello") == true, "\(answer)")
            let error = await #expect(throws: SandboxError.self) { try await container.assign(to: version, bundle: bundle) }
            #expect(error?.code == .containerEnded)
            test.host.killContainer(container.id)
            await test.event { $0 == .containerEnded(container.id) }
            test.host.killInstance(instance)
            await test.event { $0 == .instanceEnded(instance) }
        }
    }

    @Test func `a spare container whose bundle has no program tells its first call`() async throws {
        try await TestHost.with { test in
            let container = try await test.host.bootInstance(test.number(), spare: test.number(), runtime: "provided")
            try await container.assign(to: TestHost.version(runtime: "provided.al2"), bundle: test.addBundle(["x": ""]))
            #expect(await container.invoke(TestHost.request()).errorType == "Runtime.InvalidEntrypoint")
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `a container that waits to tell its end goes with its instance`() async throws {
        try await TestHost.with { test in
            let container = try await test.start(["x": ""], runtime: "provided.al2", handler: "x")
            #expect(!test.host.isEmpty)
            test.host.killInstance(1)
            await test.event { $0 == .containerEnded(container.id) }
            await test.event { $0 == .instanceEnded(1) }
            #expect(test.host.isEmpty)
            #expect(await container.invoke(TestHost.request()).surelyNotStarted)
        }
    }

    @Test func `what cannot be started is said, and leaves nothing`() async throws {
        try await TestHost.with { test in
            var error = await #expect(throws: SandboxError.self) {
                _ = try await test.host.startContainer(1, in: 99, for: TestHost.version(), bundle: "none")
            }
            #expect(error?.step == "unknown_instance")
            try await test.host.createInstance(5)
            error = await #expect(throws: SandboxError.self) {
                _ = try await test.host.startContainer(1, in: 5, for: TestHost.version(), bundle: "none")
            }
            #expect(error?.step == "mount_task")
            error = await #expect(throws: SandboxError.self) {
                _ = try await test.host.startContainer(1, in: 5, for: TestHost.version(runtime: "cobol"), bundle: "none")
            }
            #expect(error?.code == .invalidArgument)
            error = await #expect(throws: SandboxError.self) { _ = try await test.host.bootInstance(6, spare: 7, runtime: "cobol") }
            #expect(error?.code == .invalidArgument)
            test.host.killInstance(5)
            await test.event { $0 == .instanceEnded(5) }
        }
    }

    @Test func `WHOLE-02 a client that goes away ends its call at once`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(Self.sleeper)
            let began = ContinuousClock.now
            let call = Task { await container.invoke(TestHost.request()) }
            try await Task.sleep(for: .milliseconds(200))
            call.cancel()
            let answer = await call.value
            #expect(answer.outcome == nil)
            #expect(answer.endingParty == .client)
            #expect(!answer.isReusable)
            #expect(ContinuousClock.now - began < .seconds(5))
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `a call that is cancelled before it begins does not begin`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("def handler(event, context): return 1")
            let call = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await container.invoke(TestHost.request())
            }
            let answer = await call.value
            #expect(answer.endingParty == .client)
            #expect(answer.surelyNotStarted)
            #expect(await container.invoke(TestHost.request()).result == "1")
        }
    }

    @Test func `killing a container answers its call as the engine's doing`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(Self.sleeper)
            async let answer = container.invoke(TestHost.request())
            try await Task.sleep(for: .milliseconds(200))
            test.host.killContainer(container.id)
            #expect(await answer.outcome == nil)
            #expect(await answer.endingParty == .engine)
            #expect(await !answer.surelyNotStarted)
        }
    }

    @Test func `a call whose runtime is gone when the initialisation ends is answered`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("import time\ntime.sleep(0.5)\ndef handler(event, context): return 1\n")
            async let answer = container.invoke(TestHost.request())
            try await Task.sleep(for: .milliseconds(200))
            container.state.withLock { $0.channel = nil }
            #expect(await answer.outcome == nil)
            #expect(await answer.endingParty == .engine)
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `a container takes one call at a time`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("import time\ndef handler(event, context):\n    time.sleep(0.5)\n    return 1\n")
            async let first = container.invoke(TestHost.request())
            try await Task.sleep(for: .milliseconds(200))
            #expect(await container.invoke(TestHost.request()).surelyNotStarted)
            #expect(await first.result == "1")
        }
    }

    @Test func `fifty containers answer in parallel, each its own calls`() async throws {
        try await TestHost.with { test in
            let code = """
                count = 0
                def handler(event, context):
                    global count
                    count += 1
                    print(event, count)
                    return [event, count]
                """
            let bundle = try test.addBundle(["app.py": code])
            let instance = test.number()
            try await test.host.createInstance(instance)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    group.addTask {
                        let container = try await test.host.startContainer(
                            test.number(), in: instance, for: TestHost.version(), bundle: bundle)
                        for call in 1...20 {
                            let answer = await container.invoke(TestHost.request("\(index)"))
                            #expect(answer.result == "[\(index), \(call)]")
                            #expect(answer.log == "\(index) \(call)\n")
                            #expect(answer.isReusable)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Who is killed: the launcher's first process, or the worker that it starts again by itself.
    @Test(arguments: [true, false])
    func `a launcher that is killed fails the calls in it and is there again`(kill supervisor: Bool) async throws {
        try await TestHost.with { test in
            let container = try await test.python(Self.sleeper)
            async let answer = container.invoke(TestHost.request())
            try await Task.sleep(for: .milliseconds(300))
            let launchers = Self.processes(withArgument: test.configuration.socketPath)
            #expect(launchers.count >= 2)
            let victim = try #require(supervisor ? launchers.min() : launchers.dropFirst().first)
            kill(victim, SIGKILL)
            #expect(await answer.outcome == nil)
            #expect(await answer.endingParty == .engine)
            await test.event { $0 == .launcherLost }
            await test.event { $0 == .launcherReady }
            let next = try await test.python("def handler(event, context): return 7")
            #expect(await next.invoke(TestHost.request()).result == "7")
        }
    }

    @Test func `nothing of the launcher is left when the host ends`() async throws {
        let socket = Latched()
        try await TestHost.with { test in
            _ = try await test.python(Self.sleeper)
            await socket.set(test.configuration.socketPath)
            #expect(!Self.processes(withArgument: test.configuration.socketPath).isEmpty)
        }
        #expect(Self.processes(withArgument: try #require(await socket.value)).isEmpty)
    }

    @Test func `a launcher that cannot be started is a clear error`() async throws {
        let error = await #expect(throws: SandboxError.self) {
            try await TestHost.with({ $0.launcher = "/nonexistent/launcher" }) { _ in }
        }
        #expect(error?.code == .unreachable)
    }

    /// The launcher's ties to this process are the pipe and the connection, which the kernel closes with it, however it ends.
    @Test func `the launcher ends when the process that started it is gone`() async throws {
        try await RealLauncher.with(isStarted: false) { launcher in
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            var process: LauncherProcess? = try LauncherProcess(launcher.arguments, on: loop, logger: Logger(label: "test"))
            let exit = try #require(process).exit
            let (connection, _) = try await launcher.connect { _ in }
            try await connection.createInstance(1, limits: SandboxLimits())
            process = nil
            // What the kernel does with a process's connections when it ends.
            connection.close()
            #expect(try await exit.get() == 0)
            #expect(Self.processes(withArgument: launcher.socketPath).isEmpty)
        }
    }

    @Test func `a launcher that was left over is ended first`() async throws {
        try await RealLauncher.with { leftover in
            let (connection, _) = try await leftover.connect { _ in }
            connection.close()
            let path = leftover.socketPath
            let before = Self.processes(withArgument: path)
            try await TestHost.with({ configuration in
                configuration.socketDirectory = leftover.folder.path
                configuration.state = leftover.folder.appending(path: "state").path
            }) { test in
                let after = Self.processes(withArgument: path)
                #expect(!after.isEmpty && Set(after).isDisjoint(with: before))
                let container = try await test.python("def handler(event, context): return 1")
                #expect(await container.invoke(TestHost.request()).result == "1")
            }
        }
    }

    @Test func `WHOLE-03 every descriptor comes back, however a container ends`() async throws {
        try await TestHost.with { test in
            let script = "#!/bin/bash\ncurl -s http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next; exit 1\n"
            let codes = ["return 1", "raise ValueError", "import os; os._exit(3)", "import os, time; os.close(3); time.sleep(9)"]
            let before = try Self.openDescriptors()
            for _ in 0..<6 {
                for code in codes {
                    let container = try await test.python("def handler(event, context):\n    \(code)\n")
                    _ = await container.invoke(TestHost.request())
                    test.host.killContainer(container.id)
                    await test.event { $0 == .containerEnded(container.id) }
                }
                let container = try await test.start(["bootstrap": script], runtime: "provided.al2", handler: "x")
                #expect(await container.invoke(TestHost.request()).errorType == "Runtime.ExitError")
                await test.event { $0 == .containerEnded(container.id) }
            }
            // Tests beside this one have descriptors of their own, but never for long as many as one for each container.
            for _ in 0..<100 where try Self.openDescriptors() >= before + 20 { try await Task.sleep(for: .milliseconds(50)) }
            #expect(try Self.openDescriptors() < before + 20)
        }
    }

    @Test func `WHOLE-03 nothing is left after a storm of aborts, crashes, time-outs and kills`() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        try await TestHost.with({ $0.freezeAfter = .milliseconds(2) }) { test in
            let codes = [
                "return 1", "raise ValueError", "import os; os._exit(3)", "import time; time.sleep(9)", "import os; os.close(3)",
                "import os; os.kill(os.getpid(), 11)", "print('x' * 3000000)",
            ]
            let bundles = try codes.map { try test.addBundle(["app.py": "def handler(event, context):\n    \($0)\n"]) }
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<24 {
                    group.addTask {
                        var generator = SplitMix(state: seed &+ UInt64(task))
                        for _ in 0..<6 { await Self.live(test, bundles, &generator) }
                    }
                }
            }
            // All instances are killed by now; the launcher reports their ends.
            for _ in 0..<200 where !test.host.isEmpty { try await Task.sleep(for: .milliseconds(50)) }
            #expect(test.host.isEmpty, "seed \(seed)")
        }
    }

    /// One instance with one container, a few calls and a random end.
    private static func live(_ test: TestHost, _ bundles: [String], _ generator: inout SplitMix) async {
        let instance = test.number()
        let version = TestHost.version(timeout: .milliseconds(Int.random(in: 20...400, using: &generator)))
        do throws(SandboxError) {
            let container: SandboxContainer
            if Bool.random(using: &generator) {
                container = try await test.host.bootInstance(instance, spare: test.number(), runtime: "python")
                try await container.assign(to: version, bundle: bundles.randomElement(using: &generator) ?? "")
            } else {
                try await test.host.createInstance(instance)
                container = try await test.host.startContainer(
                    test.number(), in: instance, for: version, bundle: bundles.randomElement(using: &generator) ?? "")
            }
            for _ in 0..<3 {
                let call = Task { await container.invoke(TestHost.request(version: version)) }
                try? await Task.sleep(for: .microseconds(Int.random(in: 0...30_000, using: &generator)))
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: call.cancel()
                case 1: test.host.killContainer(container.id)
                case 2: test.host.killInstance(instance)
                default: break
                }
                let answer = await call.value
                #expect(answer.outcome != nil || !answer.isReusable)
            }
        } catch {
            Issue.record("\(error)")
        }
        test.host.killInstance(instance)
    }

    private static func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }

    private actor Latched {
        var value: String?
        func set(_ value: String) { self.value = value }
    }

    /// Process ids of those with `argument` on their command line, parents before their children, whose numbers may be smaller: the
    /// kernel's begin anew some time.
    static func processes(withArgument argument: String) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let found = names.compactMap { Int32($0) }.filter { pid in
            let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            return data.split(separator: 0).contains { $0.elementsEqual(argument.utf8) }
        }.sorted()
        let isChild = { pid in parent(of: pid).map { found.contains($0) } ?? false }
        return found.filter { !isChild($0) } + found.filter { isChild($0) }
    }

    private static func parent(of pid: Int32) -> Int32? {
        let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("PPid:") }
        return line.flatMap { Int32($0.dropFirst(5).trimmingCharacters(in: .whitespaces)) }
    }
}

extension SandboxHost {
    fileprivate var isEmpty: Bool { state.withLock { $0.instances.isEmpty && $0.containers.isEmpty } }
}
