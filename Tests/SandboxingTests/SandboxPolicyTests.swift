import EngineCore
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Sandboxing

/// What a function's own policy changes about its sandbox, and watching functions beside the pools.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SandboxPolicyTests {
    // MARK: Egress

    /// Connects through the proxy to a port of this machine and answers the proxy's status line and what came through it.
    static let dialler = """
        import os, socket
        def handler(event, context):
            if event == 0:
                with open('/proc/net/dev') as interfaces: count = interfaces.read().count(':')
                return [os.environ.get('HTTPS_PROXY'), socket.socket().connect_ex(('127.0.0.1', 9)), count]
            proxy = socket.create_connection(('127.0.0.1', 3128), 5)
            proxy.sendall(b'CONNECT 127.0.0.1:%d HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n' % (event, event))
            text = b''
            while True:
                part = proxy.recv(65536)
                if not part: break
                text += part
            return text.decode()
        """

    static let bashDialler = """
        #!/bin/bash
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        while true; do
            event=$(curl -sS --noproxy '*' -D /tmp/headers "$api/next")
            id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/headers)
            exec 5<>/dev/tcp/127.0.0.1/3128
            printf 'CONNECT 127.0.0.1:%d HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n\\r\\n' "$event" "$event" >&5
            cat <&5 > /tmp/answer
            exec 5>&-
            curl -sS --noproxy '*' --data-binary @/tmp/answer -o /dev/null "$api/$id/response"
        done
        """

    @Test(arguments: ["python3.11", "provided.al2023"])
    func `a function with an allow-list connects where it may, through its proxy alone`(runtime: String) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.writeAndFlush(ByteBuffer(string: "from outside")).whenComplete { _ in channel.close(promise: nil) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let records = Mutex(0)
        let egress = ProxiedEgress { _ in records.withLock { $0 += 1 } }
        try await TestHost.with(egress: egress) { test in
            let sandbox = SandboxPolicy(egress: try EgressPolicy(["127.0.0.1:\(port)"]))
            let files = runtime.hasPrefix("python") ? ["app.py": Self.dialler] : ["bootstrap": Self.bashDialler]
            let container = try await test.start(files, runtime: runtime, handler: "app.handler", sandbox: sandbox)
            let through = await container.invoke(TestHost.request("\(port)"))
            #expect(try #require(through.result).contains(" 200 "), "\(through)")
            #expect(try #require(through.result).contains("from outside"))
            let refused = await container.invoke(TestHost.request("9"))
            #expect(try #require(refused.result).contains(" 403 "), "\(refused)")
            if runtime.hasPrefix("python") {
                let alone = await container.invoke(TestHost.request("0"))
                // Landlock or nobody there; and loopback is the only interface.
                let result = try #require(alone.result)
                #expect(result.hasPrefix(#"["http://127.0.0.1:3128", 1"#) && result.hasSuffix(", 1]"), "\(result)")
            }
            #expect(records.withLock { $0 } >= 2)
        }
        try await server.close()
    }

    @Test func `a function with an allow-list does not start where nobody serves its egress`() async throws {
        try await TestHost.with { test in
            let sandbox = SandboxPolicy(egress: try EgressPolicy(["api.example.com:443"]))
            let error = await #expect(throws: SandboxError.self) {
                _ = try await test.start(["app.py": Self.dialler], runtime: "python3.11", handler: "app.handler", sandbox: sandbox)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    private struct FailingEgress: EgressServing {
        func serve(
            listener: CInt, for version: PinnedVersion, container: UInt64, on eventLoop: any EventLoop
        ) -> EventLoopFuture<any EgressSession> {
            close(listener)
            return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
    }

    @Test func `a proxy that cannot be opened fails the start and leaves nothing`() async throws {
        try await TestHost.with(egress: FailingEgress()) { test in
            let sandbox = SandboxPolicy(egress: try EgressPolicy(["api.example.com:443"]))
            let error = await #expect(throws: SandboxError.self) {
                _ = try await test.start(["app.py": Self.dialler], runtime: "python3.11", handler: "app.handler", sandbox: sandbox)
            }
            #expect(error?.code == .stepFailed)
            await test.event { if case .containerEnded = $0 { true } else { false } }
        }
    }

    // MARK: Isolation

    @Test func `executed anew, no two containers have one address-space layout; forked, they do`() async throws {
        let code = """
            def handler(event, context):
                with open('/proc/self/maps') as maps:
                    return next(line.split('-')[0] for line in maps if 'libc.so' in line)
            """
        try await TestHost.with { test in
            for (isolation, layouts) in [(SandboxPolicy.Isolation.shared, 1), (.exec, 4)] {
                var seen: Set<String> = []
                for _ in 1...4 {
                    let container = try await test.start(
                        ["app.py": code], runtime: "python3.11", handler: "app.handler", sandbox: SandboxPolicy(isolation: isolation))
                    let answer = await container.invoke(TestHost.request())
                    seen.insert(try #require(answer.result, "\(answer)"))
                }
                #expect(seen.count == layouts, "\(isolation): \(seen)")
            }
        }
    }

    // MARK: Watching

    static let asking = """
        import os
        def handler(event, context):
            return os.getpriority(os.PRIO_PROCESS, 0) if event else os.getcwd()
        """

    @Test(arguments: [SandboxPolicy.Isolation.shared, .exec])
    func `what a function is seen to need is all it gets`(isolation: SandboxPolicy.Isolation) async throws {
        try await TestHost.with { test in
            let bundle = try test.addBundle(["app.py": Self.asking])
            let version = TestHost.version(sandbox: SandboxPolicy(isolation: isolation))
            let events = Array(repeating: ByteBuffer(string: "false"), count: 3)
            let (profile, answers) = try await test.host.learn(version, bundle: bundle, events: events)
            #expect(answers.map(\.result) == Array(repeating: #""/var/task""#, count: 3), "\(answers)")
            #expect(profile.invocations == 3 && profile.failures == 0)
            #expect(profile.systemCalls.contains("getcwd") && profile.systemCalls.contains("openat"), "\(profile)")
            #expect(!profile.systemCalls.contains("getpriority"))
            let narrow = SandboxPolicy(systemCalls: profile.systemCalls, isolation: isolation)
            let container = try await test.start(["app.py": Self.asking], runtime: "python3.11", handler: "app.handler", sandbox: narrow)
            let answer = await container.invoke(TestHost.request("false"))
            #expect(answer.result == #""/var/task""#, "\(answer)")
            let beyond = await container.invoke(TestHost.request("true"))
            #expect(beyond.errorType == "OSError")
            #expect(try #require(beyond.failure).contains("Errno 38"))
            let wide = try await test.python(Self.asking)
            #expect(await wide.invoke(TestHost.request("true")).result == "0")
        }
    }

    @Test func `an event that ends the container is the last, and what was seen is kept`() async throws {
        try await TestHost.with { test in
            let bundle = try test.addBundle(["app.py": "import os\ndef handler(event, context): os._exit(event)\n"])
            let events = ["3", "4"].map { ByteBuffer(string: $0) }
            let (profile, answers) = try await test.host.learn(TestHost.version(), bundle: bundle, events: events)
            #expect(answers.map(\.errorType) == ["Runtime.ExitError"])
            #expect(profile.failures == 1)
            #expect(profile.systemCalls.contains("exit_group"))
        }
    }

    @Test func `functions are watched one at a time, and the pools hear nothing of it`() async throws {
        try await TestHost.with { test in
            let slow = try test.addBundle(["app.py": "import time\ndef handler(event, context): time.sleep(1)\n"])
            async let first = test.host.learn(TestHost.version(), bundle: slow, events: [ByteBuffer(string: "1")])
            try await Task.sleep(for: .milliseconds(300))
            let error = await #expect(throws: SandboxError.self) { _ = try await test.host.inspect(TestHost.version(), bundle: slow) }
            #expect(error?.code == .probeUnderWay)
            #expect(try await first.answers.count == 1)
            // What is reported next is of a container of the pools.
            let container = try await test.python(Self.asking)
            test.host.killContainer(container.id)
            for await event in test.events {
                guard event != .launcherReady else { continue }
                #expect(event == .containerEnded(container.id))
                break
            }
            _ = try await test.host.inspect(TestHost.version(), bundle: slow)
        }
    }

    @Test func `what the kernel says of a function's container is reported in sections`() async throws {
        try await TestHost.with { test in
            let bundle = try test.addBundle(["app.py": Self.asking])
            let report = try await test.host.inspect(TestHost.version(memory: 256), bundle: bundle)
            let names = Set(report.sections.map(\.name))
            #expect(names.isSuperset(of: ["status", "namespaces", "mounts", "limits", "cgroup", "landlock", "seccomp"]), "\(names)")
            #expect(report.lines("status").contains { $0.hasPrefix("NoNewPrivs:") && $0.hasSuffix("1") })
            #expect(report.lines("mounts").contains { $0.contains(" /var/task ") })
            #expect(report.lines("cgroup").contains { $0.contains("\(256 << 20)") }, "\(report.lines("cgroup"))")
            #expect(report.lines("seccomp").count > 50)
        }
    }

    @Test func `a function that cannot be started is not watched, and the next can be`() async throws {
        try await TestHost.with { test in
            for _ in 1...2 {
                let error = await #expect(throws: SandboxError.self) {
                    _ = try await test.host.inspect(TestHost.version(), bundle: "none")
                }
                #expect(error?.step == "mount_task")
            }
        }
    }
}
