@preconcurrency internal import Glibc
internal import NIOCore
internal import SystemPackage

/// Bytes that are the result of a command, on their way out. What does not get there is a failure of the command.
enum StandardOutput {
    static let closed = CommandFailure("Standard output was closed before everything was printed.")

    /// Writes all of it, not by way of `print`'s buffer.
    /// - Throws: `CommandFailure` when it is closed or full.
    static func write(_ bytes: some Sequence<UInt8>) throws {
        do {
            _ = try FileDescriptor.standardOutput.writeAll(bytes)
        } catch let error as Errno {
            throw failure(error)
        }
    }

    /// Ends when nobody can read standard output any more, which is looked at ten times a second; else only with its task.
    static func untilClosed() async throws {
        var descriptor = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        while poll(&descriptor, 1, 0) <= 0 || descriptor.revents & Int16(POLLERR | POLLHUP) == 0 {
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// What `print` has kept goes out.
    /// - Throws: `CommandFailure` when that, or anything before it, did not arrive.
    static func flush() throws {
        let isFlushed = fflush(stdout) == 0
        let error = Errno(rawValue: errno)
        guard isFlushed, ferror(stdout) == 0 else { throw failure(error) }
    }

    private static func failure(_ error: Errno) -> CommandFailure {
        error == .brokenPipe ? closed : CommandFailure("Standard output cannot be written: \(error).")
    }
}
