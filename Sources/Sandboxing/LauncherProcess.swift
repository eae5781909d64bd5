internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#endif

/// The launcher as a child process.
///
/// It lives and dies with this process, unless something is parked with it: its standard input is a pipe that only this process holds
/// open, and it sees when that pipe's last writer is gone, however that comes about (`--lifeline`). `PR_SET_PDEATHSIG` would not do:
/// it follows the thread that started the child, and threads of pools come and go.
final class LauncherProcess: Sendable {
    /// How long it may take to end by itself after SIGTERM.
    private static let terminationMax: TimeAmount = .seconds(5)

    let processID: pid_t
    /// Its wait status; fulfilled when it has been reaped.
    let exit: EventLoopFuture<Int32>
    /// The writing end of its standard input.
    private let lifeline: Int32
    private let isReaped = Flag()

    /// A number is signalled only under the lock and while it is false, for afterwards it may be another process's.
    private final class Flag: Sendable {
        let value = Mutex(false)
    }

    /// Starts `arguments`, whose first is the program's path, with nothing of this process but a minimal environment.
    ///
    /// - Throws: `unreachable` when the program cannot be executed.
    init(_ arguments: [String], on eventLoop: any EventLoop, logger: Logger) throws(SandboxError) {
        let input = try Self.makePipe()
        let errors = try Self.makePipe()
        let (status, pid) = Self.spawn(arguments + ["--lifeline"], input: input[0], errors: errors[1])
        close(errors[1])
        guard status == 0 else {
            for descriptor in [input[0], input[1], errors[0]] { close(descriptor) }
            let reason = String(cString: strerror(status))
            throw SandboxError(.unreachable, "\(arguments[0]) cannot be started (\(reason)); install it", systemError: status)
        }
        close(input[0])
        processID = pid
        lifeline = input[1]
        let promise = eventLoop.makePromise(of: Int32.self)
        exit = promise.futureResult
        Thread.detachNewThread { [isReaped] in promise.succeed(Self.reap(pid, isReaped)) }
        LauncherLog.read(errors[0], on: eventLoop, logger: logger)
    }

    deinit {
        close(lifeline)
    }

    /// Whether it has ended and been reaped.
    var hasEnded: Bool { isReaped.value.withLock { $0 } }

    /// Asks it to end, and ends it if it does not.
    func terminate() {
        signal(SIGTERM)
        exit.eventLoop.scheduleTask(in: Self.terminationMax) { [weak self] in self?.signal(SIGKILL) }
    }

    private func signal(_ number: Int32) {
        isReaped.value.withLock { isReaped in
            if !isReaped { kill(processID, number) }
        }
    }

    /// `POSIX_SPAWN_SETSID` of glibc's spawn.h.
    private static let setSession: Int16 = 0x80

    private static func spawn(_ arguments: [String], input: Int32, errors: Int32) -> (status: Int32, pid_t) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, errors, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        for descriptor in openDescriptors() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        // Signals as in a fresh process, whatever this one ignores or blocks; and a session of its own, for no terminal ends it.
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) | Self.setSession)
        let words = arguments.map { strdup($0) }
        let variables = [strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")]
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, arguments[0], &actions, &attributes, words + [nil], variables + [nil])
        return (status, pid)
    }

    /// Waits, on a thread of its own, for event loops do not wait for processes.
    private static func reap(_ pid: pid_t, _ isReaped: Flag) -> Int32 {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
        return isReaped.value.withLock { isReaped in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            isReaped = true
            return status
        }
    }

    /// - Returns: the reading end and the writing end, both closed in other children.
    static func makePipe() throws(SandboxError) -> [Int32] {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw SandboxError(.unreachable, "no pipe for the launcher (\(String(cString: strerror(errno))))", systemError: errno)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return ends
    }

    /// This process's own descriptors beyond the standard ones; none of them is the launcher's business.
    private static func openDescriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 }
    }
}
