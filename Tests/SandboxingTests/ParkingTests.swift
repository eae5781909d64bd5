import EngineCore
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Sandboxing

#if canImport(Glibc)
import Glibc
#endif

/// Warm containers that go on when the process that made them is another: real launchers, one host after the other in one folder.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ParkingTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let runtime: String
        let files: [String: String]
    }

    /// Functions that answer how often they were called, and how often according to a file in /tmp.
    static let kinds = [
        Kind(testDescription: "python", runtime: "python3.11", files: ["app.py": python]),
        Kind(testDescription: "node", runtime: "nodejs20.x", files: ["app.mjs": node]),
        Kind(testDescription: "provided, a connection for each request", runtime: "provided.al2023", files: ["bootstrap": bash]),
        Kind(testDescription: "provided, one connection for all", runtime: "provided.al2023", files: ["bootstrap": kept]),
    ]

    static let python = """
        n = 0
        def handler(event, context):
            global n
            n += 1
            with open('/tmp/calls', 'a') as file: file.write('x')
            print('call', n)
            return f'{n} {len(open("/tmp/calls").read())}'
        """
    static let node = """
        import { appendFileSync, readFileSync } from 'node:fs';
        let n = 0;
        export const handler = async () => {
            appendFileSync('/tmp/calls', 'x');
            console.log('call', ++n);
            return `${n} ${readFileSync('/tmp/calls').length}`;
        };
        """
    static let bash = """
        #!/bin/bash
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        for ((n = 1; ; n++)); do
            curl -sS -D /tmp/headers -o /tmp/event "$api/next"
            id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/headers)
            printf x >> /tmp/calls
            echo "call $n"
            curl -sS -o /dev/null -d "\\"$n $(stat -c %s /tmp/calls)\\"" "$api/$id/response"
        done
        """
    static let kept = """
        #!/usr/bin/python3
        import http.client, os
        api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
        sockets = set()
        n = 0
        while True:
            api.request('GET', '/2018-06-01/runtime/invocation/next')
            sockets.add(api.sock.getsockname())
            answer = api.getresponse()
            answer.read()
            n += 1
            with open('/tmp/calls', 'a') as file: file.write('x')
            print('call', n, flush=True)
            text = f'"{n} {len(open("/tmp/calls").read())}"' if len(sockets) == 1 else '"connected again"'
            api.request('POST', f'/2018-06-01/runtime/invocation/{answer.headers["Lambda-Runtime-Aws-Request-Id"]}/response', text)
            api.getresponse().read()
        """

    static func label(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// What one life leaves to the next.
    final class Notes: Sendable {
        private let notes = Mutex<[String: UInt64]>([:])
        subscript(name: String) -> UInt64 {
            get { notes.withLock { $0[name] ?? 0 } }
            set { notes.withLock { $0[name] = newValue } }
        }
    }

    static func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = TestHost.newFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
        let socket = folder.appending(path: "launcher.sock").path
        // The launcher of the last life ends with it, unless that has parked something.
        let processes = { SandboxHostLifeTests.processes(withArgument: socket) }
        for _ in 0..<100 where !processes().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
        #expect(processes().isEmpty)
    }

    @Test(arguments: kinds) func `a warm container goes on after a restart, and after another`(kind: Kind) async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            // Shorter than some runtimes take to ask for their next call, before which they are not frozen.
            let freezeAfter = Duration.milliseconds(30)
            let version = TestHost.version(runtime: kind.runtime)
            try await TestHost.with({ $0.freezeAfter = freezeAfter }, in: folder) { test in
                #expect(test.host.parked == .none)
                let container = try await test.start(kind.files, runtime: kind.runtime, handler: "app.handler")
                for n in 1...3 { #expect(await container.invoke(TestHost.request()).result == "\"\(n) \(n)\"") }
                try await container.waitUntilFrozen()
                let parked = try await test.host.park([(container.id, Self.label("first"))], keepFor: .seconds(60))
                #expect(parked == [container.id])
                await test.event { $0 == .containerEnded(container.id) }
                #expect(await container.invoke(TestHost.request()).surelyNotStarted)
                notes["container"] = container.id
                notes["launcher"] = UInt64(try #require(Self.launcher(in: folder)))
            }
            for life in 2...3 {
                #expect(Self.launcher(in: folder).map { UInt64($0) } == notes["launcher"])
                try await TestHost.with({ $0.freezeAfter = freezeAfter }, in: folder) { test in
                    #expect(test.host.parked.count == 1)
                    #expect(test.host.parked.highestNumber >= notes["container"])
                    let adopted = await test.host.adopt { label, number in
                        #expect(label == Self.label("first"))
                        #expect(number == notes["container"])
                        return version
                    }
                    let found = try #require(adopted.first)
                    #expect(adopted.count == 1)
                    #expect(found.container.id == notes["container"])
                    #expect(await test.host.adopt { _, _ in version }.isEmpty)
                    for call in 1...2 {
                        let n = 3 + 2 * (life - 2) + call
                        let answer = await found.container.invoke(TestHost.request())
                        #expect(answer.result == "\"\(n) \(n)\"", "\(answer)")
                        #expect(answer.log.hasSuffix("call \(n)\n"))
                        #expect(answer.isReusable)
                        // It was handed over frozen; whether it is frozen again before the second call is a matter of time.
                        if call == 1 { #expect(answer.thaw != nil) }
                    }
                    #expect(test.host.profile(of: version.key)?.calls == 2)
                    let beside = try await test.python("def handler(event, context): return 7")
                    #expect(await beside.invoke(TestHost.request()).result == "7")
                    try await found.container.waitUntilFrozen()
                    if life == 2 { try await test.host.park([(found.container.id, found.label)], keepFor: .seconds(60)) }
                }
            }
        }
    }

    @Test func `without freezing a container goes on too, and with what it does between calls`() async throws {
        try await Self.withFolder { folder in
            try await TestHost.with({ $0.freezeAfter = nil }, in: folder) { test in
                let container = try await test.python(FreezingTests.counter)
                _ = await container.invoke(TestHost.request("0"))
                #expect(try await test.host.park([(container.id, [])], keepFor: .seconds(60)).count == 1)
            }
            try await TestHost.with({ $0.freezeAfter = nil }, in: folder) { test in
                let container = try #require(await test.host.adopt { _, _ in TestHost.version() }.first).container
                let before = await container.invoke(TestHost.request("0"))
                try await Task.sleep(for: .milliseconds(300))
                let after = await container.invoke(TestHost.request("0"))
                #expect(after.thaw == nil)
                #expect(try #require(after.result.flatMap { Int($0) }) > #require(before.result.flatMap { Int($0) }) + 50)
            }
        }
    }

    /// A frozen runtime cannot ask for its next event: it is let go on until it has.
    @Test func `a program that is slow to ask for its next event is waited for`() async throws {
        let slow = """
            #!/usr/bin/python3
            import http.client, os, time
            n = 0
            while True:
                api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
                api.request('GET', '/2018-06-01/runtime/invocation/next')
                answer = api.getresponse()
                answer.read()
                n += 1
                api.request('POST', f'/2018-06-01/runtime/invocation/{answer.headers["Lambda-Runtime-Aws-Request-Id"]}/response', str(n))
                api.getresponse().read()
                time.sleep(0.2)
                api.close()
            """
        try await Self.withFolder { folder in
            for freezeAfter in [Duration.milliseconds(20), nil] {
                try await TestHost.with({ $0.freezeAfter = freezeAfter }, in: folder) { test in
                    let container = try await test.start(["bootstrap": slow], runtime: "provided.al2023", handler: "x")
                    #expect(await container.invoke(TestHost.request()).result == "1")
                    if freezeAfter != nil { try await container.waitUntilFrozen() }
                    #expect(try await test.host.park([(container.id, [])], keepFor: .seconds(60)).count == 1)
                }
                try await TestHost.with({ $0.freezeAfter = freezeAfter }, in: folder) { test in
                    let version = TestHost.version(runtime: "provided.al2023")
                    let container = try #require(await test.host.adopt { _, _ in version }.first).container
                    #expect(await container.invoke(TestHost.request()).result == "2")
                }
            }
        }
    }

    @Test func `a container that is initialised and was never called is parked as well`() async throws {
        try await Self.withFolder { folder in
            try await TestHost.with(in: folder) { test in
                let container = try await test.python(Self.python)
                for _ in 0..<500 where !container.isInitialised { try await Task.sleep(for: .milliseconds(10)) }
                #expect(try await test.host.park([(container.id, [])], keepFor: .seconds(60)).count == 1)
            }
            try await TestHost.with(in: folder) { test in
                let container = try #require(await test.host.adopt { _, _ in TestHost.version() }.first).container
                #expect(await container.invoke(TestHost.request()).result == "\"1 1\"")
            }
        }
    }

    @Test func `what cannot be parked ends, and the rest is parked`() async throws {
        try await Self.withFolder { folder in
            try await TestHost.with(in: folder) { test in
                let idle = try await test.python(Self.python)
                _ = await idle.invoke(TestHost.request())
                let long = try await test.python(Self.python)
                _ = await long.invoke(TestHost.request())
                let busy = try await test.python(SandboxHostLifeTests.sleeper)
                async let answer = busy.invoke(TestHost.request())
                let spare = try await test.host.bootInstance(test.number(), spare: test.number(), runtime: "python")
                let closing = try await test.start(["bootstrap": "#!/bin/sh\nexec sleep 60\n"], runtime: "provided.al2", handler: "x")
                try await Task.sleep(for: .milliseconds(200))
                let given = [idle, busy, spare, closing].map { (container: $0.id, label: [UInt8]()) }
                    + [(container: 999_999, label: []), (container: long.id, label: [UInt8](repeating: 1, count: 4097))]
                #expect(try await test.host.park(given, keepFor: .seconds(60)) == [idle.id])
                #expect(await answer.outcome == nil)
                #expect(await answer.endingParty == .engine)
                #expect(await idle.invoke(TestHost.request()).surelyNotStarted)
                // Whoever tidies up afterwards does not reach what is parked.
                test.host.killContainer(idle.id)
                test.host.killInstance(idle.owner.instance)
                idle.kill()
                for time in [Duration.zero, .milliseconds(999), .seconds(86401)] {
                    let error = await #expect(throws: SandboxError.self) { try await test.host.park([], keepFor: time) }
                    #expect(error?.code == .invalidArgument)
                }
            }
            try await TestHost.with(in: folder) { test in
                #expect(test.host.parked.count == 1)
                let container = try #require(await test.host.adopt { _, _ in TestHost.version() }.first).container
                #expect(await container.invoke(TestHost.request()).result == "\"2 2\"")
                test.host.killContainer(container.id)
                await test.event { $0 == .containerEnded(container.id) }
            }
        }
    }

    @Test(arguments: ["python3.11", "provided.al2023"])
    func `a function with an allow-list has its way out again`(runtime: String) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.writeAndFlush(ByteBuffer(string: "from outside")).whenComplete { _ in channel.close(promise: nil) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let policy = SandboxPolicy(egress: try EgressPolicy(["127.0.0.1:\(port)"]))
        let version = TestHost.version(runtime: runtime, sandbox: policy)
        let files = runtime.hasPrefix("python") ? ["app.py": SandboxPolicyTests.dialler] : ["bootstrap": SandboxPolicyTests.bashDialler]
        let expectReach: @Sendable (SandboxContainer) async throws -> Void = { container in
            let through = await container.invoke(TestHost.request("\(port)"))
            #expect(try #require(through.result).contains("from outside"), "\(through)")
            let refused = await container.invoke(TestHost.request("9"))
            #expect(try #require(refused.result).contains(" 403 "), "\(refused)")
            try await container.waitUntilFrozen()
        }
        try await Self.withFolder { folder in
            try await TestHost.with({ $0.freezeAfter = .milliseconds(30) }, egress: ProxiedEgress { _ in }, in: folder) { test in
                let container = try await test.start(files, runtime: runtime, handler: "app.handler", sandbox: policy)
                try await expectReach(container)
                #expect(try await test.host.park([(container.id, [])], keepFor: .seconds(60)).count == 1)
            }
            try await TestHost.with({ $0.freezeAfter = .milliseconds(30) }, egress: ProxiedEgress { _ in }, in: folder) { test in
                try await expectReach(try #require(await test.host.adopt { _, _ in version }.first).container)
                #expect(await test.host.adopt { _, _ in version }.isEmpty)
            }
        }
        try await server.close()
    }

    @Test func `a container whose version is not wanted any more ends, with its instance`() async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes)
            try await TestHost.with(in: folder) { test in
                let adopted = await test.host.adopt { label, _ in
                    switch label {
                    case Self.label("1"): TestHost.version()
                    case Self.label("2"): TestHost.version(runtime: "nodejs20.x")
                    default: nil
                    }
                }
                #expect(adopted.map(\.label) == [Self.label("1")])
                for name in ["2", "3"] { try await Self.waitUntilGone(notes[name]) }
                #expect(await adopted.first?.container.invoke(TestHost.request()).result == "\"2 2\"")
            }
        }
    }

    @Test func `a host that is started in another way adopts nothing, and nothing is left`() async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes)
            let before = Self.launcher(in: folder)
            try await TestHost.with({ $0.containersMax = 77 }, in: folder) { test in
                #expect(test.host.parked == .none)
                #expect(Self.launcher(in: folder) != before)
                for name in ["1", "2", "3"] { try await Self.waitUntilGone(notes[name]) }
                let container = try await test.python("def handler(event, context): return 1")
                #expect(await container.invoke(TestHost.request()).result == "1")
            }
        }
    }

    /// The worker, which keeps what is parked, and the launcher's first process.
    @Test(arguments: [true, false])
    func `a launcher that is killed meanwhile leaves nothing, and another is started`(worker: Bool) async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes)
            let processes = SandboxHostLifeTests.processes(withArgument: folder.appending(path: "launcher.sock").path)
            kill(try #require(worker ? processes.dropFirst().first : processes.first), SIGKILL)
            // The other hears of it a moment later.
            let path = folder.appending(path: "launcher.sock").path
            for _ in 0..<250 {
                guard let answering = try? await LauncherConnection.connect(path: path, onEvent: { _ in }) else { break }
                answering.connection.close()
                guard !worker || answering.capabilities.parked.count > 0 else { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            // Without the first process nobody thaws them so that they can die, until there is another.
            if worker { for name in ["1", "2", "3"] { try await Self.waitUntilGone(notes[name]) } }
            try await TestHost.with(in: folder) { test in
                for name in ["1", "2", "3"] { try await Self.waitUntilGone(notes[name]) }
                #expect(test.host.parked == .none)
                #expect(await test.host.adopt { _, _ in TestHost.version() }.isEmpty)
                let container = try await test.python("def handler(event, context): return 1")
                #expect(await container.invoke(TestHost.request()).result == "1")
            }
        }
    }

    @Test func `a launcher that does not answer is ended, and another is started`() async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes)
            let processes = SandboxHostLifeTests.processes(withArgument: folder.appending(path: "launcher.sock").path)
            for process in processes { kill(process, SIGSTOP) }
            try await TestHost.with({ $0.startTimeout = .seconds(6) }, in: folder) { test in
                #expect(test.host.parked == .none)
                for name in ["1", "2", "3"] { try await Self.waitUntilGone(notes[name]) }
                let container = try await test.python("def handler(event, context): return 1")
                #expect(await container.invoke(TestHost.request()).result == "1")
            }
        }
    }

    @Test func `a worker that dies under a host that has taken it over ends the rest, and another is started`() async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes)
            try await TestHost.with(in: folder) { test in
                let adopted = await test.host.adopt { _, _ in TestHost.version() }
                #expect(adopted.count == 3)
                let worker = SandboxHostLifeTests.processes(withArgument: test.configuration.socketPath).dropFirst().first
                kill(try #require(worker), SIGKILL)
                await test.event { $0 == .launcherLost }
                await test.event { $0 == .launcherReady }
                #expect(test.host.parked == .none)
                for container in adopted { #expect(await container.container.invoke(TestHost.request()).surelyNotStarted) }
                let container = try await test.python("def handler(event, context): return 1")
                #expect(await container.invoke(TestHost.request()).result == "1")
            }
        }
    }

    @Test func `what is parked ends by itself when its time is over, and the launcher with it`() async throws {
        try await Self.withFolder { folder in
            let notes = Notes()
            try await Self.parkThree(in: folder, notes, keepFor: .seconds(1))
            for name in ["1", "2", "3"] { try await Self.waitUntilGone(notes[name]) }
        }
    }

    @Test func `after an upgrade of the launcher, its library or a runtime its mark is another`() throws {
        let folder = TestHost.newFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["launcher", "zygote.so", "runtimes/python/runtime.json", "runtimes/python/more/deep.py"]
        let path = { (name: String) in folder.appending(path: name) }
        for file in files {
            try FileManager.default.createDirectory(at: path(file).deletingLastPathComponent(), withIntermediateDirectories: true)
            try "old".write(to: path(file), atomically: true, encoding: .utf8)
        }
        let manifest = #"{"name": "python", "description": "", "kind": "fork", "identifiers": ["python3.11"], "command": "/usr/bin/env"}"#
        try manifest.write(to: path(files[2]), atomically: true, encoding: .utf8)
        let configuration = SandboxHostConfiguration(
            launcher: path("launcher").path, zygoteLibrary: path("zygote.so").path, runtimes: path("runtimes").path, content: "/c",
            state: "/s", socketDirectory: "/d")
        let mark = { (more: [String]) in
            LauncherMark(configuration, try RuntimeManifest.all(in: configuration.runtimes).installed, arguments: ["a"] + more).text
        }
        var seen = [try mark([])]
        #expect(try mark([]) == seen[0])
        #expect(try mark(["b"]) != seen[0])
        for file in files {
            try (file.hasSuffix("json") ? manifest : "new").write(to: path(file), atomically: true, encoding: .utf8)
            #expect(!seen.contains(try mark([])), "\(file)")
            seen.append(try mark([]))
        }
    }

    // MARK: -

    /// Parks three containers, each in an instance of its own, with labels "1", "2" and "3", and notes their process numbers.
    private static func parkThree(in folder: URL, _ notes: Notes, keepFor time: Duration = .seconds(60)) async throws {
        try await TestHost.with(in: folder) { test in
            var given: [(container: UInt64, label: [UInt8])] = []
            for name in ["1", "2", "3"] {
                let before = functions(in: folder)
                let container = try await test.python(python)
                #expect(await container.invoke(TestHost.request()).result == "\"1 1\"")
                notes[name] = UInt64(try #require(functions(in: folder).subtracting(before).first))
                given.append((container.id, label(name)))
            }
            #expect(try await test.host.park(given, keepFor: time).count == 3)
        }
        for name in ["1", "2", "3"] { #expect(kill(Int32(notes[name]), 0) == 0) }
    }

    /// The functions of Python that run, and the zygote: children of the launcher's worker.
    private static func functions(in folder: URL) -> Set<Int32> {
        let launcher = { SandboxHostLifeTests.processes(withArgument: folder.appending(path: "launcher.sock").path) }
        guard let worker = launcher().dropFirst().first,
            let children = try? String(contentsOfFile: "/proc/\(worker)/task/\(worker)/children", encoding: .utf8)
        else { return [] }
        let numbers = children.split(separator: " ").compactMap { Int32($0) }
        let runtimes = Set(numbers).intersection(SandboxHostLifeTests.processes(withArgument: "/var/runtime/bootstrap.py"))
        // The launcher's own processes have the runtimes' command lines in theirs; looked at last, for new ones may come any time.
        return runtimes.subtracting(launcher())
    }

    private static func waitUntilGone(_ process: UInt64) async throws {
        for _ in 0..<250 where kill(Int32(process), 0) == 0 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(kill(Int32(process), 0) != 0)
    }

    /// The first process of the launcher that lives in `folder`.
    private static func launcher(in folder: URL) -> Int32? {
        SandboxHostLifeTests.processes(withArgument: folder.appending(path: "launcher.sock").path).first
    }
}

extension SandboxContainer {
    fileprivate var isInitialised: Bool {
        state.withLock { state in
            if case .assigned(isReady: true) = state.phase { true } else { false }
        }
    }
}
