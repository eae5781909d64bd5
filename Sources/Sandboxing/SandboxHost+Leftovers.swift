internal import EngineCore
internal import Logging
internal import NIOCore
internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

// What an earlier process has left at our socket.
//
//     nobody answers ──the lock is held──► ended ──► started anew
//     answers ──nothing is parked, or started in another way──► ended ──► started anew
//        └──something is parked, and we would start it just so──► taken over
extension SandboxHost {
    /// How long a launcher that was left may take to answer.
    private static let leftoverAnswer = Duration.seconds(3)
    private static let leftoverPoll = TimeAmount.milliseconds(20)

    /// Takes over a launcher that keeps something for us, and ends any other: left by a process that had parked something and was
    /// started again in another way, or that ended in the moment between the launcher's start and its first look at its standard input.
    ///
    /// - Parameter arguments: those we would start it with.
    /// - Returns: its connection and its process; `nil` when there is none any more.
    /// - Throws: `unreachable` when it is not ours to end.
    func takeOver(_ arguments: [String]) async throws(SandboxError) -> (link: Link, launcher: Int32)? {
        let messages = try LauncherProcess.makePipe()
        let given = SystemPackage.FileDescriptor(rawValue: messages.writing)
        let attempt = try? await connect(within: Self.leftoverAnswer, messages: given)
        // The launcher has one of its own; a pipe's end is gone after close(2) whatever it answers.
        try? given.close()
        guard let link = attempt else {
            close(messages.reading)
            if let holder = lockHolder() { await end(holder) }
            return nil
        }
        let worker = link.capabilities.processID
        guard let launcher = Self.parent(of: worker), Self.name(of: launcher) == Self.name(of: worker) else {
            close(messages.reading)
            link.connection.close()
            throw SandboxError(.unreachable, "another launcher serves \(configuration.socketPath); stop it first")
        }
        if link.capabilities.parked.count > 0, Self.mark(of: Self.commandLine(of: launcher)) == Self.mark(of: arguments) {
            LauncherLog.read(messages.reading, on: eventLoopGroup.next(), logger: logger)
            logger.notice("taking over a launcher with what is parked", metadata: ["pid": "\(launcher)"])
            return (link, launcher)
        }
        close(messages.reading)
        link.connection.close()
        logger.warning("ending a launcher that was left over", metadata: ["pid": "\(launcher)"])
        await end(launcher)
        return nil
    }

    /// Ends a launcher that is not our child, and returns when it has; also in a task that is cancelled.
    func end(_ launcher: Int32) async {
        let began = EngineInstant.now()
        var signal = SIGTERM
        // By then its number may be another process's.
        while Self.commandLine(of: launcher).contains(configuration.socketPath), kill(launcher, signal) == 0 {
            let waited = EngineInstant.now() - began
            guard waited < configuration.startTimeout else { return }
            signal = waited > configuration.startTimeout / 2 ? SIGKILL : 0
            try? await eventLoopGroup.any().scheduleTask(in: Self.leftoverPoll) {}.futureResult.get()
        }
    }

    /// The launcher that holds the state folder's lock; `nil` when nobody does.
    private func lockHolder() -> Int32? {
        let path = "\(configuration.state)/launcher.lock"
        guard let file = try? SystemPackage.FileDescriptor.open(SystemPackage.FilePath(path), .readOnly) else { return nil }
        defer {
            // The lock, if we got it, goes with the descriptor.
            try? file.close()
        }
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) != 0 else { return nil }
        return Self.read(path).flatMap { Int32($0.prefix { $0.isNumber }) }
    }

    private static func commandLine(of process: Int32) -> [String] {
        guard let text = read("/proc/\(process)/cmdline") else { return [] }
        return text.split(separator: "\0", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    private static func mark(of commandLine: [String]) -> String? {
        guard let option = commandLine.lastIndex(of: SandboxHostConfiguration.mark), option + 1 < commandLine.count else { return nil }
        return commandLine[option + 1]
    }

    private static func parent(of process: Int32) -> Int32? {
        // The name in parentheses may contain anything; what follows the last one is numbers (proc(5)).
        guard let text = read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]).flatMap { $0 > 1 ? $0 : nil } : nil
    }

    private static func name(of process: Int32) -> String? { read("/proc/\(process)/comm") }

    /// The beginning of a file, which is all of those that are read here.
    private static func read(_ path: String) -> String? {
        guard let file = try? SystemPackage.FileDescriptor.open(SystemPackage.FilePath(path), .readOnly) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        guard let count = try? bytes.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
