internal import EngineCore
internal import Foundation
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#endif

/// A program of the operator's that is run for what it writes. No shell is between.
struct OperatorCommand: Sendable {
    /// The program's absolute path first.
    let arguments: [String]
    let timeLimit: Duration
    /// Of standard output. Of standard error the first ``CommandProcess/errorBytesMax`` are kept for the message.
    let outputBytesMax: Int

    /// Runs it once. Threads of its own start it and wait for it, for that may block; none outlives it.
    ///
    /// - Returns: its standard output.
    /// - Throws: `commandNotStarted`, `commandTimedOut`, `commandOutputTooLarge`, `commandFailed`, `cancelled`.
    func run() async throws(VariableCapacityError) -> [UInt8] {
        let process = try await onThread { () throws(VariableCapacityError) in try CommandProcess(arguments) }.get()
        let result = await withTaskCancellationHandler {
            Thread.detachNewThread { process.reap() }
            return await onThread { () throws(VariableCapacityError) in
                try process.collect(timeLimit: timeLimit, outputBytesMax: outputBytesMax)
            }
        } onCancel: {
            process.cancel()
        }
        return try result.get()
    }

    private func onThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws(VariableCapacityError) -> Value
    ) async -> Result<Value, VariableCapacityError> {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                do throws(VariableCapacityError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }
}

/// One run of the program, in a process group of its own.
private final class CommandProcess: Sendable {
    static let errorBytesMax = 1024
    /// How long after SIGKILL its end is waited for. A process in the middle of a hanging file system ends later, and is reaped then.
    private static let killedWait = Duration.seconds(1)
    private static let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]

    private struct State {
        /// Its wait status, once it has been reaped; from then on its number may be another process's.
        var status: Int32?
        var isCancelled = false
    }

    private let processID: pid_t
    private let state = Mutex(State())
    /// Reading ends, which do not block.
    private let output: Int32
    private let errors: Int32
    /// A byte comes when ``state`` has changed.
    private let wake: [Int32]

    init(_ arguments: [String]) throws(VariableCapacityError) {
        var ends: [Int32] = []
        for _ in 0..<3 {
            var pair: [Int32] = [-1, -1]
            guard pipe(&pair) == 0 else {
                let reason = String(cString: strerror(errno))
                for end in ends { close(end) }
                throw VariableCapacityError(.commandNotStarted, "There is no pipe for \(arguments[0]) (\(reason)).")
            }
            ends += pair
            for end in pair { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        }
        let (status, pid) = Self.spawn(arguments, output: ends[1], errors: ends[3])
        close(ends[1])
        close(ends[3])
        guard status == 0 else {
            for end in [ends[0], ends[2], ends[4], ends[5]] { close(end) }
            let reason = String(cString: strerror(status))
            throw VariableCapacityError(
                .commandNotStarted, "\(arguments[0]) cannot be started (\(reason)). Look at its path and mode.")
        }
        for end in [ends[0], ends[2], ends[4], ends[5]] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        processID = pid
        (output, errors) = (ends[0], ends[2])
        wake = [ends[4], ends[5]]
    }

    deinit {
        for descriptor in [output, errors] + wake { close(descriptor) }
    }

    func cancel() {
        state.withLock { $0.isCancelled = true }
        tell()
    }

    /// Waits for its end, kills what it leaves in its group, and reaps it: until then no other process can have its number.
    func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
        state.withLock { state in
            kill(-processID, SIGKILL)
            var status: Int32 = 0
            waitpid(processID, &status, 0)
            state.status = status
        }
        tell()
    }

    /// Reads until it has ended, or has to be ended.
    func collect(timeLimit: Duration, outputBytesMax: Int) throws(VariableCapacityError) -> [UInt8] {
        var limit = EngineInstant.now() + timeLimit
        var written = PipeReading(output, bytesMax: outputBytesMax)
        var complaint = PipeReading(errors, bytesMax: Self.errorBytesMax)
        var failure: VariableCapacityError?
        while true {
            let (status, isCancelled) = state.withLock { ($0.status, $0.isCancelled) }
            written.read()
            complaint.read()
            if failure == nil, written.isTooLong {
                failure = VariableCapacityError(.commandOutputTooLarge, "It wrote more than \(outputBytesMax) bytes.")
            } else if failure == nil, let status {
                guard status == 0 else { throw Self.failure(status, complaint) }
                return written.bytes
            } else if failure == nil, isCancelled || EngineInstant.now() >= limit {
                failure =
                    isCancelled
                    ? VariableCapacityError(.cancelled, "The node stops.")
                    : VariableCapacityError(.commandTimedOut, "It took longer than \(timeLimit) and was killed.")
            } else if let failure, status != nil || EngineInstant.now() >= limit {
                throw failure
            } else {
                // Of who is being killed nothing but its end is waited for.
                wait(for: failure == nil ? [written.descriptor, complaint.descriptor] : [], until: limit)
                continue
            }
            killGroup()
            limit = .now() + Self.killedWait
        }
    }

    private func killGroup() {
        state.withLock { state in
            if state.status == nil { kill(-processID, SIGKILL) }
        }
    }

    private func tell() {
        var byte: UInt8 = 1
        // A full pipe wakes the reader as well.
        _ = write(wake[1], &byte, 1)
    }

    private func wait(for descriptors: [Int32], until limit: EngineInstant) {
        // Closed ones are -1, which poll(2) passes over.
        var polled = (descriptors + [wake[0]]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = min(max(0, (limit - .now()).inMilliseconds.rounded(.up)), 60_000)
        _ = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
        var bytes: (UInt64, UInt64) = (0, 0)
        _ = withUnsafeMutableBytes(of: &bytes) { Glibc.read(wake[0], $0.baseAddress, $0.count) }
    }

    private static func failure(_ status: Int32, _ complaint: PipeReading) -> VariableCapacityError {
        let end = status & 0x7f == 0 ? "with status \((status >> 8) & 0xff)" : "by signal \(status & 0x7f)"
        let said = String(decoding: complaint.bytes.prefix(errorBytesMax), as: UTF8.self).split(separator: "\n").first ?? "nothing"
        return VariableCapacityError(.commandFailed, "It ended \(end), saying: \(said)")
    }

    private static func spawn(_ arguments: [String], output: Int32, errors: Int32) -> (status: Int32, pid_t) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        for descriptor in openDescriptors() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        // Signals as in a fresh process, whatever this one ignores or blocks.
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        let words = arguments.map { strdup($0) }
        let variables = environment.map { strdup($0) }
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, arguments[0], &actions, &attributes, words + [nil], variables + [nil])
        return (status, pid)
    }

    /// This process's own descriptors beyond the standard ones; none of them is the program's business. To close one that has gone
    /// meanwhile is no error.
    private static func openDescriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 }
    }
}

/// What has come through a pipe, up to a limit; the rest is passed over.
private struct PipeReading {
    /// -1 after the last writer has closed it.
    private(set) var descriptor: Int32
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLong = false
    private let bytesMax: Int

    init(_ descriptor: Int32, bytesMax: Int) {
        self.descriptor = descriptor
        self.bytesMax = bytesMax
    }

    /// Takes what is there. At most 1 MiB at a time, so that who writes without end is looked at for its limits in between.
    mutating func read() {
        var part = [UInt8](repeating: 0, count: 65_536)
        for _ in 0..<16 where descriptor >= 0 {
            let count = Glibc.read(descriptor, &part, part.count)
            if count > 0 {
                let room = bytesMax - bytes.count
                bytes += part[..<min(count, room)]
                if count > room { isTooLong = true }
            } else {
                // Nothing is there now, or nothing will ever be.
                if count == 0 || (errno != EAGAIN && errno != EINTR) { descriptor = -1 }
                return
            }
        }
    }
}
