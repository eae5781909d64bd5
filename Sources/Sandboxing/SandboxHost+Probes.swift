public import EngineCore
public import NIOCore
internal import Synchronization
internal import SystemPackage

// Watching a function beside the pools. One at a time: watching is slow, and what it shows is read by a person.
extension SandboxHost {
    /// How long a recording may take. Events that have not begun by then are left out.
    public static let learnMax = Duration.seconds(300)

    /// Runs `events` through a container of its own, in order, and records the system calls it makes from its start to its end.
    ///
    /// A narrower filter that the version has already does not apply, for it is what is to be made anew; the runtime's own does. The
    /// function's time-out and the limit for its initialisation hold as ever, although recording is slow. An event after which the
    /// container cannot be used is the last.
    ///
    /// - Returns: the calls' names, and what became of each event, in order; fewer than `events` when one ended the container.
    /// - Throws: `probeUnderWay`, and what a start fails with. Nothing is left then.
    public func learn(
        _ version: PinnedVersion, bundle: String, events: [ByteBuffer]
    ) async throws(SandboxError) -> (profile: LearnedProfile, answers: [ContainerAnswer]) {
        let probe = try beginProbe()
        defer { endProbe(probe) }
        let container = try await start(probe, version, bundle) { specification in
            // Executed, never forked: such a start makes every call that a forked one makes, and the profile then fits both.
            specification.flags.formUnion([.learn, .alone])
            specification.systemCalls = []
        }
        var answers: [ContainerAnswer] = []
        let end = EngineInstant.now() + Self.learnMax
        for event in events where answers.last?.isReusable ?? true && .now() < end {
            answers.append(await container.invoke(request(version, event)))
        }
        let permitted = try? await report(on: container).permittedSystemCalls
        container.kill()
        guard let names = await probe.waitUntilEnded() else {
            throw SandboxError(.containerEnded, "the launcher has not recorded the function's system calls; look at its log and try again")
        }
        let failures = answers.count { answer in
            if case .success = answer.outcome { false } else { true }
        }
        return (LearnedProfile(systemCalls: names, invocations: answers.count, failures: failures, permittedByRuntime: permitted), answers)
    }

    /// Starts a container of the function and asks the kernel what holds for its process.
    ///
    /// - Throws: `probeUnderWay`, what a start fails with, and what the launcher says of the report: a program
    ///   of the bundle's own that has ended already leaves nothing to be looked at.
    public func inspect(_ version: PinnedVersion, bundle: String) async throws(SandboxError) -> SandboxReport {
        let probe = try beginProbe()
        defer { endProbe(probe) }
        let container = try await start(probe, version, bundle) { _ in }
        return try await report(on: container)
    }

    // MARK: -

    private func report(on container: SandboxContainer) async throws(SandboxError) -> SandboxReport {
        let file = try await container.owner.launcher.inspectContainer(container.id)
        defer {
            // A memory file is gone after close(2) whatever it answers.
            try? file.close()
        }
        guard let text = Self.text(of: file) else {
            throw SandboxError(.stepFailed, "the launcher's report on container \(container.id) cannot be read; try again")
        }
        return SandboxReport(text: text)
    }

    private func beginProbe() throws(SandboxError) -> Probe {
        let probe = state.withLock { state -> Probe? in
            guard state.probe == nil else { return nil }
            state.lastProbe += 1
            let probe = Probe(state.lastProbe)
            state.probe = probe
            return probe
        }
        guard let probe else {
            throw SandboxError(.probeUnderWay, "another function is being watched on this node; wait until that is over and try again")
        }
        return probe
    }

    private func endProbe(_ probe: Probe) {
        killInstance(probe.instance)
        state.withLock { $0.probe = nil }
    }

    private func start(
        _ probe: Probe, _ version: PinnedVersion, _ bundle: String, _ adjust: (inout ContainerSpecification) -> Void
    ) async throws(SandboxError) -> SandboxContainer {
        try await waitUntilReady()
        return try await startContainer(probe.container, in: probe.instance, isNew: true, for: version, bundle: bundle, adjust)
    }

    private func request(_ version: PinnedVersion, _ event: ByteBuffer) -> InvocationRequest {
        let now = EngineInstant.now()
        return InvocationRequest(
            id: RequestID(), function: version, invokedARN: version.arn, payload: event, clientContext: nil, traceID: "", arrival: now,
            deadline: now + max(configuration.initTimeout, version.timeout) + version.timeout, origin: .client)
    }

    /// All of a memory file; `nil` when it cannot be read or is longer than agreed.
    private static func text(of file: SystemPackage.FileDescriptor) -> String? {
        var bytes = [UInt8](repeating: 0, count: LauncherConnection.reportBytesMax)
        var length = 0
        while length < bytes.count {
            let count = try? bytes.withUnsafeMutableBytes { all in
                try file.read(fromAbsoluteOffset: Int64(length), into: UnsafeMutableRawBufferPointer(rebasing: all[length...]))
            }
            guard let count else { return nil }
            guard count > 0 else { return String(decoding: bytes[..<length], as: UTF8.self) }
            length += count
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
