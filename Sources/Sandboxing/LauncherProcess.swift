internal import ChildProcesses
internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOPosix
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

    /// Its wait status; fulfilled when it has been reaped.
    let exit: EventLoopFuture<Int32>
    private let process: ChildProcess
    /// The writing end of its standard input.
    private let lifeline: Int32

    /// Starts `arguments`, whose first is the program's path, with nothing of this process but a minimal environment.
    ///
    /// - Throws: `unreachable` when the program cannot be executed.
    init(_ arguments: [String], on eventLoop: any EventLoop, logger: Logger) throws(SandboxError) {
        let input = try Self.makePipe()
        let errors = try Self.makePipe()
        defer {
            close(input.reading)
            close(errors.writing)
        }
        do throws(ChildProcessError) {
            process = try ChildProcess(
                arguments + ["--lifeline"], leads: .session, input: input.reading, output: errors.writing, errors: errors.writing)
        } catch {
            for descriptor in [input.writing, errors.reading] { close(descriptor) }
            throw SandboxError(.unreachable, "\(arguments[0]) cannot be started (\(error)); install it", systemError: error.systemError)
        }
        lifeline = input.writing
        let promise = eventLoop.makePromise(of: Int32.self)
        exit = promise.futureResult
        // On a thread of its own, for event loops do not wait for processes.
        Thread.detachNewThread { [process] in promise.succeed(process.waitUntilEnded()) }
        LauncherLog.read(errors.reading, on: eventLoop, logger: logger)
    }

    deinit {
        close(lifeline)
    }

    var processID: Int32 { process.processID }

    /// Whether it has ended and been reaped.
    var hasEnded: Bool { process.status != nil }

    /// Asks it to end, and ends it if it does not.
    func terminate() {
        process.signal(SIGTERM)
        exit.eventLoop.scheduleTask(in: Self.terminationMax) { [weak self] in self?.process.signal(SIGKILL) }
    }

    static func makePipe() throws(SandboxError) -> (reading: Int32, writing: Int32) {
        do throws(ChildProcessError) {
            return try ChildProcess.pipe()
        } catch {
            throw SandboxError(.unreachable, "no pipe for the launcher (\(error))", systemError: error.systemError)
        }
    }
}
