import EngineCore
import Foundation
import NIOCore
import NIOPosix
import Sandboxing
import Testing

/// Functions in real sandboxes: the launcher, the runtimes and the kernel are the real ones.
@Suite(.serialized, .timeLimit(.minutes(2))) struct SandboxHostTests {
    @Test func `a Python function answers, with its own output`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(
                """
                import os
                print('loading')
                def handler(event, context):
                    print('running', event)
                    return [event, os.environ['AWS_REGION']]
                """)
            let first = await container.invoke(TestHost.request(#"{"n":1}"#))
            #expect(first.result == #"[{"n": 1}, "eu-central-1"]"#)
            #expect(first.log == "loading\nrunning {'n': 1}\n")
            #expect(first.endingParty == .function)
            #expect(first.isReusable)
            #expect(first.initialise != nil)
            #expect(first.run > .zero)
            #expect(try #require(first.memoryPeak) > .kibibytes(100))
            let second = await container.invoke(TestHost.request(#"{"n":2}"#))
            #expect(second.result == #"[{"n": 2}, "eu-central-1"]"#)
            #expect(second.log == "running {'n': 2}\n")
            #expect(second.initialise == nil)
        }
    }

    @Test func `a Node function answers`() async throws {
        try await TestHost.with { test in
            let code = """
                export const handler = async (event, context) => {
                    console.log('hi');
                    return { n: event.n + 1, id: context.awsRequestId };
                }
                """
            let container = try await test.start(["app.mjs": code], runtime: "nodejs20.x", handler: "app.handler")
            for n in 1...3 {
                let request = TestHost.request("{\"n\":\(n)}")
                let answer = await container.invoke(request)
                #expect(answer.result == "{\"n\":\(n + 1),\"id\":\"\(request.id)\"}")
                #expect(answer.log.contains("hi"))
            }
        }
    }

    @Test func `a shell script answers through the Runtime API`() async throws {
        try await TestHost.with { test in
            let script = try String(contentsOf: TestHost.root.appending(path: "Runtimes/examples/hello-bash/bootstrap"), encoding: .utf8)
            let container = try await test.start(["bootstrap": script], runtime: "provided.al2023", handler: "bootstrap")
            for n in 1...3 {
                let answer = await container.invoke(TestHost.request("{\"n\":\(n)}"))
                #expect(answer.result == "{\"message\":\"Hello from bash\",\"event\":{\"n\":\(n)}}")
                #expect(answer.log.contains("event of 7 characters"))
                #expect((answer.initialise != nil) == (n == 1))
                #expect(answer.isReusable)
            }
        }
    }

    @Test func `a function that raises has failed, and its container serves on`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("def handler(event, context):\n    raise ValueError('no')\n")
            for _ in 1...2 {
                let answer = await container.invoke(TestHost.request())
                #expect(try #require(answer.failure).contains(#""errorType": "ValueError""#))
                #expect(answer.errorType == "ValueError")
                #expect(answer.endingParty == .function)
                #expect(answer.isReusable)
                #expect(answer.log.contains("[ERROR] ValueError: no"))
            }
        }
    }

    static let exits: [(String, String, InvocationRecord.EndingParty)] = [
        ("import sys; sys.exit(0)", "Runtime exited without providing a reason", .exit),
        ("import sys; sys.exit(3)", "Runtime exited with error: exit status 3", .exit),
        ("import os; os._exit(1)", "Runtime exited with error: exit status 1", .exit),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed", .exit),
        ("import ctypes; ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault", .exit),
        ("b = bytearray(400 << 20); b[::4096] = b'x' * len(b[::4096])", "Runtime exited with error: signal: killed", .outOfMemory),
    ]

    @Test(arguments: exits)
    func `a process that ends is named as Lambda names it`(
        code: String, text: String, party: InvocationRecord.EndingParty
    ) async throws {
        try await TestHost.with { test in
            let container = try await test.python("def handler(event, context):\n    print('last words')\n    \(code)\n")
            let request = TestHost.request()
            let answer = await container.invoke(request)
            #expect(answer.failure == #"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: \#(request.id) Error: \#(text)"}"#)
            #expect(answer.errorType == "Runtime.ExitError")
            #expect(answer.endingParty == party)
            #expect(!answer.isReusable)
            #expect(answer.log == "last words\nRequestId: \(request.id) Error: \(text)\nRuntime.ExitError\n")
            await test.event { $0 == .containerEnded(container.id) }
            let late = await container.invoke(TestHost.request())
            #expect(late.outcome == nil)
            #expect(late.surelyNotStarted)
        }
    }

    @Test func `a function that hangs is ended at its time-out`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(
                "import time\ndef handler(event, context):\n    print('begin')\n    time.sleep(60)\n", timeout: .seconds(1))
            let request = TestHost.request()
            let answer = await container.invoke(request)
            let text = "RequestId: \(request.id) Error: Task timed out after 1.00 seconds"
            #expect(answer.failure == #"{"errorType":"Sandbox.Timedout","errorMessage":"\#(text)"}"#)
            #expect(answer.endingParty == .timeout)
            let line = /begin\n\d{4}-\d\d-\d\dT[\d:.]{12}Z [0-9a-f-]{36} Task timed out after 1.00 seconds\n/
            #expect(answer.log.wholeMatch(of: line) != nil)
            #expect(answer.run >= .seconds(1) && answer.run < .seconds(2))
            #expect(!answer.isReusable)
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `the time-out counts each call anew, and a later one from its own start`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(
                """
                import time
                def handler(event, context):
                    time.sleep(event)
                    return context.get_remaining_time_in_millis() > 100
                """,
                timeout: .seconds(3))
            for _ in 1...2 {
                let answer = await container.invoke(TestHost.request("1.6"))
                #expect(answer.result == "true")
            }
            let answer = await container.invoke(TestHost.request("30"))
            #expect(answer.endingParty == .timeout)
            #expect(answer.run >= .seconds(3) && answer.run < .seconds(5))
        }
    }

    @Test(arguments: [(300, "0.50"), (700, "0.70")])
    func `initialising is ended after its own time-out or the function's, whichever is longer`(timeout: Int, text: String) async throws {
        try await TestHost.with({ $0.initTimeout = .milliseconds(500) }) { test in
            let code = "import time\ntime.sleep(60)\ndef handler(event, context): pass\n"
            let container = try await test.python(code, timeout: .milliseconds(timeout))
            let answer = await container.invoke(TestHost.request())
            #expect(answer.errorType == "Sandbox.Timedout")
            #expect(answer.endingParty == .timeout)
            #expect(try #require(answer.failure).contains("Task timed out after \(text) seconds"))
            let hurried = try await test.python(code, timeout: .milliseconds(timeout))
            let bounded = await hurried.invoke(TestHost.request(budget: .milliseconds(200)))
            #expect(bounded.endingParty == .timeout)
            #expect(try #require(bounded.initialise) < .milliseconds(500))
        }
    }

    @Test func `a function that initialises slowly runs, and its own time-out counts from then`() async throws {
        let code = "import time\ntime.sleep(0.8)\ndef handler(event, context):\n    time.sleep(event)\n    return 1\n"
        try await TestHost.with({ $0.initTimeout = .milliseconds(100) }) { test in
            let container = try await test.python(code, timeout: .seconds(2))
            let answer = await container.invoke(TestHost.request("1.5"))
            #expect(answer.result == "1")
            #expect(try #require(answer.initialise) >= .milliseconds(700))
        }
        try await TestHost.with { test in
            let container = try await test.python(code, timeout: .milliseconds(500))
            #expect(await container.invoke(TestHost.request("0")).result == "1")
        }
    }

    @Test func `the whole budget bounds all`() async throws {
        try await TestHost.with { test in
            let other = try await test.python("import time\ndef handler(event, context):\n    time.sleep(60)\n")
            let bounded = await other.invoke(TestHost.request(budget: .milliseconds(700)))
            #expect(bounded.endingParty == .timeout)
            #expect(bounded.run < .seconds(2))
        }
    }

    @Test func `code that cannot be loaded is the function's error`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("import nothing_like_it\n")
            let answer = await container.invoke(TestHost.request())
            #expect(answer.errorType == "Runtime.ImportModuleError")
            #expect(answer.endingParty == .function)
            #expect(!answer.isReusable)
            await test.event { $0 == .containerEnded(container.id) }
        }
    }

    @Test func `a bundle without a program, and a program that ends at once, are told to the first call`() async throws {
        try await TestHost.with { test in
            let empty = try await test.start(["readme": "nothing"], runtime: "provided.al2023", handler: "x")
            let request = TestHost.request()
            let answer = await empty.invoke(request)
            #expect(answer.errorType == "Runtime.InvalidEntrypoint")
            #expect(
                try #require(answer.failure)
                    .contains("RequestId: \(request.id) Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"))
            await test.event { $0 == .containerEnded(empty.id) }
            let brief = try await test.start(
                ["bootstrap": "#!/bin/sh\necho bye\nexit 4\n"], runtime: "provided.al2023", handler: "x")
            let late = await brief.invoke(TestHost.request())
            #expect(try #require(late.failure).contains("exit status 4"))
            #expect(late.log.hasPrefix("bye\n"))
            await test.event { $0 == .containerEnded(brief.id) }
        }
    }

    @Test func `ten megabytes of log are read, kept up to the limit and counted`() async throws {
        try await TestHost.with({ $0.logBytesMax = .kibibytes(64) }) { test in
            let container = try await test.python(
                "def handler(event, context):\n    for i in range(event): print('x' * 1023)\n    return event\n")
            let answer = await container.invoke(TestHost.request("10240"))
            #expect(answer.result == "10240")
            #expect(answer.output.text.readableBytes == 64 << 10)
            #expect(answer.output.droppedByteCount == (10 << 20) - (64 << 10))
            let next = await container.invoke(TestHost.request("1"))
            #expect(next.log == String(repeating: "x", count: 1023) + "\n")
            #expect(next.output.droppedByteCount == 0)
        }
    }

    @Test func `output between two calls is read, counted and belongs to neither`() async throws {
        try await TestHost.with({ $0.freezeAfter = nil }) { test in
            let container = try await test.python(
                """
                import threading, time
                def flood():
                    time.sleep(0.1)
                    for i in range(4096): print('x' * 1023)
                    done.set()
                done = threading.Event()
                def handler(event, context):
                    if event: threading.Thread(target=flood).start()
                    else: return done.wait(5)
                """)
            _ = await container.invoke(TestHost.request("true"))
            try await Task.sleep(for: .seconds(1))
            let answer = await container.invoke(TestHost.request("false"))
            #expect(answer.result == "true")
            #expect(answer.log == "")
            #expect(answer.output.droppedByteCount == 4 << 20)
        }
    }

    static let runtimes: [(String, [String: String], String)] = [
        ("python3.11", ["app.py": "def handler(event, context): return 'x' * event"], "app.handler"),
        ("nodejs20.x", ["app.mjs": "export const handler = async (event) => 'x'.repeat(event)"], "app.handler"),
        (
            "provided.al2023",
            [
                "bootstrap": """
                #!/bin/bash
                api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
                while true; do
                    event=$(curl -sS -D /tmp/headers "$api/next")
                    id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *\\([^[:space:]]*\\).*/\\1/Ip' /tmp/headers)
                    (printf '"'; head -c "$event" /dev/zero | tr '\\0' x; printf '"') > /tmp/body
                    curl -sS -w '%{http_code}' --data-binary @/tmp/body -o /tmp/answer "$api/$id/response"
                    cat /tmp/answer
                done
                """
            ], "x"
        ),
    ]

    @Test(arguments: runtimes)
    func `an answer of six megabytes passes and one over the limit is a clear error`(
        runtime: String, files: [String: String], handler: String
    ) async throws {
        try await TestHost.with { test in
            let container = try await test.start(files, runtime: runtime, handler: handler, memory: 512)
            let large = await container.invoke(TestHost.request("6291554"))
            #expect(large.result?.utf8.count == 6_291_556)
            let over = await container.invoke(TestHost.request("6291555"))
            #expect(over.errorType == "Function.ResponseSizeTooLarge")
            #expect(
                try #require(over.failure).contains("Response payload size exceeded maximum allowed payload size (6291556 bytes)."))
            #expect(over.endingParty == .function)
        }
    }

    @Test func `a large event reaches the function`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("def handler(event, context): return len(event)\n")
            for _ in 1...3 {
                let answer = await container.invoke(TestHost.request("\"\(String(repeating: "e", count: 6_000_000))\""))
                #expect(answer.result == "6000000")
            }
        }
    }

    /// Cold and warm, from a task's thread and from an event loop that is another's.
    @Test func `a call that does not fit on the wire is a clear error, and its container serves on`() async throws {
        try await TestHost.with { test in
            let container = try await test.python(
                """
                count = 0
                def handler(event, context):
                    global count
                    count += 1
                    return count
                """)
            let long = String(repeating: "x", count: 66_000)
            let requests = [
                TestHost.request(traceID: long), TestHost.request(clientContext: "\"\(long)\""),
                TestHost.request(String(repeating: "1", count: 9 << 20)),
            ]
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            for request in requests {
                let inTask = await container.invoke(request)
                let onLoop: ContainerAnswer = await withCheckedContinuation { continuation in
                    group.next().execute { container.invoke(request) { continuation.resume(returning: $0) } }
                }
                for answer in [inTask, onLoop] {
                    #expect(answer.errorType == "Sandbox.CallTooLarge")
                    #expect(try #require(answer.failure).contains("RequestId: \(request.id) Error: The call is too long for its runtime."))
                    #expect(answer.endingParty == .engine)
                    #expect(answer.isReusable)
                }
            }
            try await group.shutdownGracefully()
            #expect(await container.invoke(TestHost.request()).result == "1")
        }
    }

    @Test func `what breaks the protocol is thrown away and named`() async throws {
        try await TestHost.with { test in
            let container = try await test.python("import os\ndef handler(event, context):\n    os.write(3, b'x' * 100)\n    return 1\n")
            let answer = await container.invoke(TestHost.request())
            #expect(answer.errorType == "Runtime.ProtocolError")
            #expect(!answer.isReusable)
            await test.event { $0 == .containerEnded(container.id) }
            let closing = try await test.python("import os, time\ndef handler(event, context):\n    os.close(3)\n    time.sleep(60)\n")
            let closed = await closing.invoke(TestHost.request())
            #expect(closed.errorType == "Runtime.ProtocolError")
            await test.event { $0 == .containerEnded(closing.id) }
        }
    }
}
