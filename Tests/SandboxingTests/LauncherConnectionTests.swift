import EngineCore
import Foundation
@testable import Sandboxing
import SystemPackage
import Testing

/// The client against the real launcher: real namespaces, real processes, real kills.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LauncherConnectionTests {
    private struct Fixture {
        let launcher: RealLauncher
        let connection: LauncherConnection
        let capabilities: LauncherCapabilities
        let events: AsyncStream<LauncherEvent>

        /// Runs `body` with a connection to a launcher of its own, and ends both afterwards.
        static func with(_ body: (Fixture) async throws -> Void) async throws {
            try await RealLauncher.with { launcher in
                let (stream, continuation) = AsyncStream.makeStream(of: LauncherEvent.self)
                let (connection, capabilities) = try await launcher.connect { continuation.yield($0) }
                defer { connection.close() }
                try await body(Fixture(launcher: launcher, connection: connection, capabilities: capabilities, events: stream))
            }
        }

        /// The next event that is not about a zygote.
        func nextEvent() async -> LauncherEvent? {
            for await event in events {
                if case .zygoteExited = event { continue }
                return event
            }
            return nil
        }
    }

    @Test func `the launcher says what it can enforce`() async throws {
        try await Fixture.with { fixture in
            #expect(fixture.capabilities.isPrivileged)
            #expect(fixture.capabilities.cgroupVersion >= 1)
            #expect(fixture.capabilities.containersMax > 0)
        }
    }

    @Test func `a function's output and exit status come back`() async throws {
        try await Fixture.with { fixture in
            try fixture.launcher.addBundle("hello", script: "#!/bin/sh\necho \"$GREETING from $(id -u)\"\nexit 7\n")
            try await fixture.connection.createInstance(1, limits: SandboxLimits(memory: .mebibytes(256), processes: 64))
            let started = try await fixture.connection.startContainer(
                ContainerSpecification(
                    instance: 1, container: 2, stages: [.prepare, .assign], runtime: "provided", bundle: "hello",
                    limits: SandboxLimits(memory: .mebibytes(128), processes: 16), arguments: ["bootstrap"],
                    environment: ["GREETING=hello", "PATH=/usr/bin:/bin"]))
            let descriptors = try #require(started.descriptors)
            defer { descriptors.close() }
            guard case .containerExited(2, let exit) = await fixture.nextEvent() else {
                Issue.record("the container's end was not reported")
                return
            }
            #expect(exit.reason == .exited(status: 7))
            var output = [UInt8](repeating: 0, count: 200)
            let count = try output.withUnsafeMutableBytes { try descriptors.log.read(into: $0) }
            #expect(String(decoding: output.prefix(count), as: UTF8.self) == "hello from 1051\n")
            try await fixture.connection.killInstance(1)
            #expect(await fixture.nextEvent() == .instanceExited(1))
        }
    }

    @Test func `a container killed and a container that kills itself are told apart`() async throws {
        try await Fixture.with { fixture in
            try fixture.launcher.addBundle("wait", script: "#!/bin/sh\nexec sleep 60\n")
            try fixture.launcher.addBundle("self", script: "#!/bin/sh\nkill -9 $$\n")
            try await fixture.connection.createInstance(1, limits: SandboxLimits())
            for (id, bundle) in [(UInt64(2), "wait"), (3, "self")] {
                let started = try await fixture.connection.startContainer(
                    ContainerSpecification(
                        instance: 1, container: id, stages: [.prepare, .assign], runtime: "provided", bundle: bundle,
                        arguments: ["bootstrap"], environment: ["PATH=/usr/bin:/bin"]))
                started.descriptors?.close()
                if id == 2 {
                    #expect(started.processID > 0)
                    try await fixture.connection.killContainer(2)
                }
                guard case .containerExited(id, let exit) = await fixture.nextEvent() else {
                    Issue.record("the end of container \(id) was not reported")
                    return
                }
                #expect(exit.reason == (id == 2 ? .killed : .signaled(9)))
            }
        }
    }

    @Test func `a failing step is named with the system's error`() async throws {
        try await Fixture.with { fixture in
            let missing = ContainerSpecification(instance: 99, container: 2, stages: [.prepare], runtime: "python")
            let error = await #expect(throws: SandboxError.self) { try await fixture.connection.startContainer(missing) }
            #expect(error?.code == .stepFailed)
            #expect(error?.step == "unknown_instance")
        }
    }

    @Test func `what does not fit into a message is refused before it is sent`() async throws {
        try await Fixture.with { fixture in
            let specifications = [
                ContainerSpecification(instance: 1, container: 2, stages: [.assign], runtime: String(repeating: "r", count: 32)),
                ContainerSpecification(
                    instance: 1, container: 2, stages: [.assign], runtime: "p", bundle: String(repeating: "b", count: 128)),
                ContainerSpecification(instance: 1, container: 2, stages: [.assign], runtime: "p", environment: ["A=\0"]),
                ContainerSpecification(
                    instance: 1, container: 2, stages: [.assign], runtime: "p",
                    environment: ["A=" + String(repeating: "x", count: 70_000)]),
            ]
            for specification in specifications {
                let error = await #expect(throws: SandboxError.self) { try await fixture.connection.startContainer(specification) }
                #expect(error?.code == .invalidArgument)
            }
        }
    }

    @Test func `a launcher that dies fails what is under way and is there again for the next connection`() async throws {
        try await Fixture.with { fixture in
            kill(fixture.capabilities.processID, SIGKILL)
            #expect(await fixture.nextEvent() == .disconnected)
            let error = await #expect(throws: SandboxError.self) { try await fixture.connection.createInstance(1, limits: SandboxLimits()) }
            #expect(error?.code == .disconnected)
            let again = try await fixture.launcher.connect { _ in }
            #expect(again.capabilities.processID != fixture.capabilities.processID)
            try await again.connection.createInstance(1, limits: SandboxLimits())
            again.connection.close()
        }
    }

    @Test(arguments: [true, false])
    func `a launcher that hangs is given up, be it that it takes no message or that it gives no reply`(takesMessages: Bool) async throws {
        try await RealLauncher.with { launcher in
            let connection = try await launcher.connect { _ in }.connection
            connection.close()
            let (stream, continuation) = AsyncStream.makeStream(of: LauncherEvent.self)
            let limit = Duration.milliseconds(200)
            let (hanging, capabilities) = try await LauncherConnection.connect(
                path: launcher.socketPath, sendMax: takesMessages ? .seconds(60) : limit, replyMax: takesMessages ? limit : .seconds(60)
            ) { continuation.yield($0) }
            kill(capabilities.processID, SIGSTOP)
            defer { kill(capabilities.processID, SIGCONT) }
            if takesMessages {
                let error = await #expect(throws: SandboxError.self) { try await hanging.createInstance(1, limits: SandboxLimits()) }
                #expect(error?.code == .disconnected)
            } else {
                // More than the socket holds.
                for number in 0..<5000 as Range<UInt64> { hanging.postKillContainer(number) }
            }
            var events = stream.makeAsyncIterator()
            #expect(await events.next() == .disconnected)
        }
    }

    @Test func `a socket that nobody serves is a clear error`() async throws {
        let error = await #expect(throws: SandboxError.self) {
            _ = try await LauncherConnection.connect(path: "/nonexistent/launcher.sock") { _ in }
        }
        #expect(error?.code == .unreachable)
    }
}
