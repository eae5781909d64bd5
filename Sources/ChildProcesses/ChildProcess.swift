internal import Foundation
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#endif

/// A program that this process has started and waits for. No shell is between, and nothing of this process goes with it: no descriptor
/// but the three standard ones, no signal that is ignored or blocked, no environment but what is given.
///
///     running ──it ends──► zombie ──waitUntilEnded──► reaped: its number may be another process's
///
/// A number is signalled only under the lock and before it is reaped. posix_spawn(3) and not swift-subprocess, which ends a child with the
/// task that started it: the launcher outlives its starter while containers are parked with it.
public final class ChildProcess: Sendable {
    /// What it is the first process of, so that signals meant for this one's terminal do not reach it.
    public enum Leadership: Sendable { case processGroup, session }

    /// Where programs are looked for by what it executes.
    public static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    /// `POSIX_SPAWN_SETSID` of glibc's spawn.h.
    private static let setSession: Int16 = 0x80

    public let processID: Int32
    /// As waitpid(2) says it, once it has been reaped.
    private let reaped = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - arguments: the program's absolute path first.
    ///   - input: `nil`: nothing is to be read.
    /// - Throws: when it cannot be executed.
    public init(
        _ arguments: [String], environment: [String] = [path], leads: Leadership, input: Int32? = nil, output: Int32, errors: Int32
    ) throws(ChildProcessError) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        for descriptor in Self.openDescriptors() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        Self.prepare(&attributes, leads)
        let words = arguments.map { strdup($0) }
        let variables = environment.map { strdup($0) }
        defer { for word in words + variables { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, arguments.first ?? "", &actions, &attributes, words + [nil], variables + [nil])
        guard status == 0 else { throw ChildProcessError(systemError: status) }
        processID = pid
    }

    /// Signals as in a fresh process, whatever this one ignores or blocks.
    private static func prepare(_ attributes: inout posix_spawnattr_t, _ leads: Leadership) {
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        let signals = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
        switch leads {
        case .session: posix_spawnattr_setflags(&attributes, signals | setSession)
        case .processGroup:
            posix_spawnattr_setpgroup(&attributes, 0)
            posix_spawnattr_setflags(&attributes, signals | Int16(POSIX_SPAWN_SETPGROUP))
        }
    }

    /// This process's own descriptors beyond the standard ones. To close one that has gone meanwhile is no error.
    private static func openDescriptors() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 > 2 }
    }

    /// Its wait status; `nil` until it has been reaped.
    public var status: Int32? { reaped.withLock { $0 } }

    public func signal(_ number: Int32) {
        reaped.withLock { status in
            if status == nil { kill(processID, number) }
        }
    }

    /// Signals it and what it has left in its process group.
    public func signalGroup(_ number: Int32) {
        reaped.withLock { status in
            if status == nil { kill(-processID, number) }
        }
    }

    /// Waits for its end and reaps it: for a thread of its own, and to be called once, for until then no other process can have its
    /// number. Blocking.
    ///
    /// - Parameter endsGroup: whether what it leaves in its process group is killed.
    /// - Returns: its wait status.
    @discardableResult
    public func waitUntilEnded(endsGroup: Bool = false) -> Int32 {
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
        return reaped.withLock { reaped in
            if endsGroup { kill(-processID, SIGKILL) }
            var status: Int32 = 0
            waitpid(processID, &status, 0)
            reaped = status
            return status
        }
    }

    /// The reading end and the writing end of a pipe, both closed in what is executed.
    public static func pipe() throws(ChildProcessError) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw ChildProcessError(systemError: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// A program was not started, or there is no pipe for it.
public struct ChildProcessError: Error, Equatable, CustomStringConvertible {
    public let systemError: Int32

    public var description: String { String(cString: strerror(systemError)) }
}
