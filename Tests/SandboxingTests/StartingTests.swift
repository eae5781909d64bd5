import EngineCore
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Sandboxing

/// From nothing to a function that can be called: what is asked for together, and what is told early.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StartingTests {
    @Test(arguments: ["python", "node", "provided"])
    func `an instance and its container are asked for at once`(name: String) async throws {
        try await TestHost.with { test in
            let manifest = try #require(test.host.manifests.first { $0.name == name })
            let examples = ["python": "hello-python/app.py", "node": "hello-node/app.mjs", "provided": "hello-bash/bootstrap"]
            let example = TestHost.root.appending(path: "Runtimes/examples/\(try #require(examples[name]))")
            let bundle = try test.addBundle([example.lastPathComponent: String(contentsOf: example, encoding: .utf8)])
            let version = TestHost.version(runtime: try #require(manifest.identifiers.last))
            let container = try await test.host.startContainer(7, in: 5, isNew: true, for: version, bundle: bundle)
            let answer = await container.invoke(TestHost.request(#"{"name":"x"}"#, version: version))
            #expect(answer.result?.contains("Hello") == true, "\(answer)")
            test.host.killInstance(5)
            await test.event { $0 == .instanceEnded(5) }
        }
    }

    @Test func `an instance that cannot be made is the reason for its container's failure`() async throws {
        try await TestHost.with({ $0.instancesMax = 1 }) { test in
            try await test.host.createInstance(1)
            let error = await #expect(throws: SandboxError.self) {
                _ = try await test.host.startContainer(3, in: 2, isNew: true, for: TestHost.version(), bundle: "none")
            }
            #expect(error?.step == "limit")
            test.host.killInstance(1)
            await test.event { $0 == .instanceEnded(1) }
        }
    }

    @Test func `a container that cannot be started takes its new instance along`() async throws {
        try await TestHost.with { test in
            let error = await #expect(throws: SandboxError.self) {
                _ = try await test.host.startContainer(3, in: 2, isNew: true, for: TestHost.version(), bundle: "none")
            }
            #expect(error?.step == "mount_task")
            await test.event { $0 == .instanceEnded(2) }
        }
    }

    @Test func `a function initialises when its code is there, and its first call finds it ready`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("print('loaded')\ndef handler(event, context): return 1\n")
            try await container.wait { if case .assigned(isReady: true) = $0 { true } else { false } }
            let answer = await container.invoke(TestHost.request())
            #expect(answer.result == "1")
            #expect(answer.initialise == .zero)
            #expect(answer.log == "loaded\n")
            #expect(await container.invoke(TestHost.request()).initialise == nil)
        }
    }

    @Test func `an initialisation that has failed is told to the first call`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("raise ValueError('not today')\n")
            try await container.wait { if case .stillborn = $0 { true } else { false } }
            let answer = await container.invoke(TestHost.request())
            #expect(answer.errorType == "ValueError")
            #expect(answer.endingParty == .function)
            #expect(answer.failure?.contains("not today") == true)
            await test.event { $0 == .containerEnded(container.id) }
            #expect(await container.invoke(TestHost.request()).surelyNotStarted)
        }
    }

    @Test func `a container has its home where its call came from`() async throws {
        try await TestHost.with { test in
            let bundle = try test.addBundle(["app.py": "def handler(event, context): return 1"])
            for (index, loop) in MultiThreadedEventLoopGroup.singleton.makeIterator().enumerated() {
                let home = try #require(try await loop.submit { test.host.currentHome }.get())
                let made = loop.makePromise(of: SandboxContainer.self)
                test.host.startContainer(
                    UInt64(2 * index + 3), in: UInt64(2 * index + 2), isNew: true, for: TestHost.version(), bundle: bundle, at: home,
                    launched: { _ in }, completion: { made.completeWith($0.mapError { $0 }) })
                #expect(try await made.futureResult.get().home == home)
            }
        }
    }

    @Test(arguments: ["setTimeout(() => { throw new TypeError('late') })", "Promise.reject(new TypeError('late'))"])
    func `an error that no handler catches ends the container, and is one failure`(code: String) async throws {
        try await TestHost.with { test in
            let source = "export const handler = async () => { \(code); await new Promise(() => {}) }"
            let container = try await test.start(["app.mjs": source], runtime: "nodejs20.x", handler: "app.handler")
            let answer = await container.invoke(TestHost.request())
            #expect(answer.failure?.contains("late") == true, "\(answer)")
            #expect(answer.endingParty == .function)
            #expect(!answer.isReusable)
            #expect(!answer.log.contains("Runtime exited"))
            await test.event { $0 == .containerEnded(container.id) }
            #expect(await container.invoke(TestHost.request()).surelyNotStarted)
        }
    }
}

extension SandboxContainer {
    fileprivate func wait(until isReached: (ContainerPhase) -> Bool) async throws {
        for _ in 0..<2000 {
            if state.withLock({ isReached($0.phase) }) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("container \(id) has not come so far within 4 seconds")
    }
}
