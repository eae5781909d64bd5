import EngineCore
import Foundation
import Sandboxing
import Testing

/// What a container may use, and how quickly it ends.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LimitsTests {
    @Test func `a function's ceiling is one core, or its part of the machine where that is more`() {
        let allowance = CPUAllowance()
        #expect(allowance.millis(for: .mebibytes(128)) == 1000)
        #expect(allowance.millis(for: .mebibytes(1769)) == 1000)
        #expect(allowance.millis(for: .mebibytes(3538)) == 2000)
        #expect(allowance.millis(for: .mebibytes(10_240)) == 5790)
        #expect(CPUAllowance(millisPerGibibyte: 2000, millisMin: 100).millis(for: .mebibytes(512)) == 1000)
        #expect(CPUAllowance.weight(for: .mebibytes(1)) == 1)
        #expect(CPUAllowance.weight(for: .mebibytes(1024)) == 1024)
        #expect(CPUAllowance.weight(for: .mebibytes(10_240)) == 10_000)
    }

    @Test func `functions that want one processor share it by their memory`() async throws {
        let code = """
            import os, time
            os.sched_setaffinity(0, {0})
            def handler(event, context):
                begin = time.process_time()
                end = time.monotonic() + event
                while time.monotonic() < end: pass
                return time.process_time() - begin
            """
        try await TestHost.with { test in
            let small = try await test.python(code, memory: 256)
            let large = try await test.python(code, memory: 1024)
            for container in [small, large] { #expect(await container.invoke(TestHost.request("0")).result != nil) }
            // They compete only while both run, and a busy machine may begin them one after the other: one try of three must show it.
            var ratios: [Double] = []
            for _ in 0..<3 where !ratios.contains(where: (2...8).contains) {
                async let less = small.invoke(TestHost.request("2"))
                async let more = large.invoke(TestHost.request("2"))
                let shares = try await (less: #require(Double(less.result ?? "")), more: #require(Double(more.result ?? "")))
                ratios.append(shares.more / shares.less)
            }
            let isShown = ratios.contains { (2...8).contains($0) }
            #expect(isShown, "processor time of 1024 MiB / of 256 MiB: \(ratios)")
        }
    }

    @Test func `a time-out ends the whole container, whatever its processes ignore and whoever their parents are`() async throws {
        let code = """
            import os, signal, time
            def handler(event, context):
                if not event: return 1
                for number in range(1, 65):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                for _ in range(5):
                    if os.fork() == 0:
                        os.setsid()
                        if os.fork() == 0:
                            while True: time.sleep(60)
                        os._exit(0)
                print('forked')
                time.sleep(60)
            """
        try await TestHost.with { test in
            let timeout = Duration.seconds(2)
            let container = try await test.python(code, timeout: timeout)
            #expect(await container.invoke(TestHost.request("false")).result == "1")
            let began = EngineInstant.now()
            let answer = await container.invoke(TestHost.request("true"))
            await test.event { $0 == .containerEnded(container.id) }
            let ended = EngineInstant.now() - began - timeout
            #expect(answer.endingParty == .timeout)
            #expect(answer.log.hasPrefix("forked"))
            print("asked for \(answer.run - timeout) after its time-out, gone \(ended) after it")
            // The container is asked to be ended before its call is answered. A loaded machine may be late; nothing else may.
            #expect(answer.run - timeout < .milliseconds(250))
            #expect(ended < .milliseconds(750))
        }
    }
}
