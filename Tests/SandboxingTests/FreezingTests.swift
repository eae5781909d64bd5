import EngineCore
import Foundation
import NIOCore
import Synchronization
import SystemPackage
import Testing

@testable import Sandboxing

/// Containers that stand still between their calls: real processes, the kernel's freezer.
@Suite(.serialized, .timeLimit(.minutes(2))) struct FreezingTests {
    /// A thread of it counts milliseconds, or fewer.
    static let counter = """
        import threading, time
        count = 0
        def run():
            global count
            while True:
                time.sleep(0.001)
                count += 1
        threading.Thread(target=run, daemon=True).start()
        def handler(event, context):
            time.sleep(event)
            return count
        """

    @Test func `a thread counts during calls, and not between them`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(30) }) { test in
            let container = try await test.python(Self.counter)
            let first = await container.invoke(TestHost.request("0.05"))
            let answered = ContinuousClock.now
            #expect(first.thaw == nil)
            try await container.waitUntilFrozen()
            let counting = ContinuousClock.now - answered
            try await Task.sleep(for: .seconds(2))
            let second = await container.invoke(TestHost.request("0"))
            let between = try #require(second.count) - #require(first.count)
            #expect(between < Int(counting.inMilliseconds) + 500, "frozen after \(counting)")
            #expect(try #require(second.thaw) > .zero)
            let third = await container.invoke(TestHost.request("0.3"))
            #expect(try #require(third.count) > #require(second.count) + 20)
            try await container.waitUntilFrozen()
        }
    }

    @Test func `without freezing it goes on counting`() async throws {
        try await TestHost.with({ $0.freezeAfter = nil }) { test in
            let container = try await test.python(Self.counter)
            let first = await container.invoke(TestHost.request("0"))
            try await Task.sleep(for: .milliseconds(700))
            let second = await container.invoke(TestHost.request("0"))
            #expect(try #require(second.count) > #require(first.count) + 150)
            #expect(second.thaw == nil)
        }
    }

    @Test(arguments: ["nodejs20.x", "provided.al2023"])
    func `every kind of runtime freezes and serves on`(runtime: String) async throws {
        let node = ["app.mjs": "let n = 0; export const handler = async () => ++n"]
        let files = runtime.hasPrefix("node") ? node : ["bootstrap": Self.bootstrap(sleeping: "0")]
        try await TestHost.with({ $0.freezeAfter = .milliseconds(20) }) { test in
            let container = try await test.start(files, runtime: runtime, handler: "app.handler")
            for n in 1...4 {
                let answer = await container.invoke(TestHost.request())
                #expect(answer.result == "\(n)")
                #expect((answer.thaw != nil) == (n > 1))
                try await container.waitUntilFrozen()
            }
        }
    }

    /// A bootstrap that sleeps between its answer and its next question.
    private static func bootstrap(sleeping seconds: String) -> String {
        """
            #!/bin/bash
            api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
            for ((n = 1; ; n++)); do
                curl -sS -D /tmp/headers -o /tmp/event "$api/next"
                id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/headers)
                curl -sS -d "$n" "$api/$id/response"
                sleep \(seconds)
            done
            """
    }

    @Test func `a runtime that does not ask for its next call is frozen all the same`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(20) }) { test in
            let files = ["bootstrap": Self.bootstrap(sleeping: "100")]
            let container = try await test.start(files, runtime: "provided.al2023", handler: "app.handler")
            #expect(await container.invoke(TestHost.request()).result == "1")
            try await container.waitUntilFrozen()
        }
    }

    @Test func `a runtime that has answered is not frozen before it waits for its next call`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(20) }) { test in
            let files = ["bootstrap": Self.bootstrap(sleeping: "0.2")]
            let container = try await test.start(files, runtime: "provided.al2023", handler: "app.handler")
            for n in 1...2 {
                #expect(await container.invoke(TestHost.request()).result == "\(n)")
                try await container.waitUntilFrozen()
                #expect(try await container.eventLoop.submit { container.state.withLock { $0.channel }?.isWaiting }.get() == true)
            }
        }
    }

    @Test func `a container is never frozen while it has a call, however long`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(5) }) { test in
            let container = try await test.python(Self.counter)
            for _ in 1...3 {
                // A frozen one would not wake up to answer: nothing would thaw it.
                let answer = await container.invoke(TestHost.request("0.2"))
                #expect(answer.count != nil)
            }
        }
    }

    @Test func `calls that race with freezing are all answered, from whatever state`() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        try await TestHost.with({ $0.freezeAfter = .milliseconds(1) }) { test in
            let container = try await test.python("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n\n")
            var generator = SplitMix(state: seed)
            var thaws: [Duration] = []
            for n in 1...600 {
                let answer = await container.invoke(TestHost.request(budget: .seconds(10)))
                try #require(answer.result == "\(n)", "\(answer)")
                #expect(answer.isReusable)
                if let thaw = answer.thaw { thaws.append(thaw) }
                // Around the moment of freezing, and often exactly in it.
                let pause = EngineInstant.now() + .microseconds(Int.random(in: 0...2500, using: &generator))
                while EngineInstant.now() < pause { await Task.yield() }
            }
            #expect(thaws.count > 20 && thaws.count < 599, "\(thaws.count)")
            print("\(thaws.count) thaws, median \(thaws.sorted()[thaws.count / 2])")
        }
    }

    @Test(arguments: ["container", "instance"])
    func `what is killed while it is frozen is gone at once`(what: String) async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(5) }) { test in
            for _ in 1...10 {
                let container = try await test.python(Self.counter)
                _ = await container.invoke(TestHost.request("0"))
                try await container.waitUntilFrozen()
                let began = ContinuousClock.now
                if what == "container" { test.host.killContainer(container.id) } else { test.host.killInstance(container.owner.instance) }
                await test.event { $0 == .containerEnded(container.id) }
                #expect(ContinuousClock.now - began < .seconds(2))
            }
        }
    }

    @Test func `what is killed around the moment of freezing is gone too`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(2) }) { test in
            for round in 0..<30 {
                let container = try await test.python(Self.counter)
                _ = await container.invoke(TestHost.request("0"))
                try await Task.sleep(for: .microseconds(1000 + 80 * round))
                if round % 2 == 0 { test.host.killContainer(container.id) } else { test.host.killInstance(container.owner.instance) }
                await test.event { $0 == .containerEnded(container.id) }
            }
        }
    }

    @Test func `a call that finds its container frozen and dead is surely not started`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(5) }) { test in
            let container = try await test.python("def handler(event, context): return 1")
            _ = await container.invoke(TestHost.request())
            try await container.waitUntilFrozen()
            // As when its cgroup has gone: the freezer does not take the write. Its number stays open, for it is the container's to close.
            try await container.eventLoop.submit {
                let freezer = try #require(container.descriptors.value?.cgroup.freezer)
                let readOnly = try FileDescriptor.open("/dev/null", .readOnly)
                defer { try? readOnly.close() }
                _ = try readOnly.duplicate(as: freezer)
            }.get()
            let answer = await container.invoke(TestHost.request())
            #expect(answer.outcome == nil)
            #expect(answer.endingParty == .engine)
            #expect(answer.surelyNotStarted)
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `the profile of a function is measured, its processor time at every freeze`() async throws {
        try await TestHost.with({ $0.freezeAfter = .milliseconds(10) }) { test in
            let version = TestHost.version()
            #expect(test.host.profile(of: version.key) == nil)
            let container = try await test.python(
                """
                import time
                def handler(event, context):
                    end = time.process_time() + 0.03
                    while time.process_time() < end: pass
                """)
            for _ in 1...4 { _ = await container.invoke(TestHost.request()) }
            try await container.waitUntilFrozen()
            let profile = try #require(test.host.profile(of: version.key))
            #expect(profile.calls == 4)
            #expect(profile.duration >= .milliseconds(30))
            #expect(profile.memoryPeak > .kibibytes(256))
            #expect(profile.callsWithCPUTime == 4)
            #expect(profile.cpuTime >= .milliseconds(28) && profile.cpuTime < .milliseconds(90), "\(profile)")
        }
    }

    @Test func `a container's end brings the processor time of its last calls`() async throws {
        try await TestHost.with({ $0.freezeAfter = nil }) { test in
            let container = try await test.python("sum(range(10))\ndef handler(event, context): return sum(range(1000000))\n")
            for _ in 1...3 { _ = await container.invoke(TestHost.request()) }
            #expect(test.host.profile(of: TestHost.version().key)?.callsWithCPUTime == 0)
            test.host.killContainer(container.id)
            await test.event { $0 == .containerEnded(container.id) }
            let profile = try #require(test.host.profile(of: TestHost.version().key))
            #expect(profile.callsWithCPUTime == 3)
            #expect(profile.cpuTime > .milliseconds(1))
        }
    }
}

extension SandboxContainer {
    func waitUntilFrozen() async throws {
        for _ in 0..<2000 {
            let isFrozen = state.withLock { state in
                if case .frozen = state.phase { true } else { false }
            }
            if isFrozen { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        Issue.record("container \(id) was not frozen within 4 seconds")
    }
}

extension ContainerAnswer {
    fileprivate var count: Int? { result.flatMap { Int($0) } }
}
