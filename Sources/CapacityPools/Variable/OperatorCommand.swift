internal import ChildProcesses
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
    private let process: ChildProcess
    private let isCancelled = Mutex(false)
    /// Reading ends, which do not block.
    private let output: Int32
    private let errors: Int32
    /// A byte comes when it has ended or is cancelled.
    private let wake: (reading: Int32, writing: Int32)

    init(_ arguments: [String]) throws(VariableCapacityError) {
        var ends: [(reading: Int32, writing: Int32)] = []
        do throws(ChildProcessError) {
            for _ in 0..<3 { ends.append(try ChildProcess.pipe()) }
            process = try ChildProcess(
                arguments, environment: [ChildProcess.path, "LC_ALL=C"], leads: .processGroup, output: ends[0].writing,
                errors: ends[1].writing)
        } catch {
            for end in ends { for descriptor in [end.reading, end.writing] { close(descriptor) } }
            throw VariableCapacityError(
                .commandNotStarted, "\(arguments.first ?? "") cannot be started (\(error)). Look at its path and mode.")
        }
        (output, errors, wake) = (ends[0].reading, ends[1].reading, ends[2])
        for end in ends[..<2] { close(end.writing) }
        for descriptor in [output, errors, wake.reading, wake.writing] { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
    }

    deinit {
        for descriptor in [output, errors, wake.reading, wake.writing] { close(descriptor) }
    }

    func cancel() {
        isCancelled.withLock { $0 = true }
        tell()
    }

    /// Waits for its end, and kills what it leaves in its group.
    func reap() {
        process.waitUntilEnded(endsGroup: true)
        tell()
    }

    /// Reads until it has ended, or has to be ended.
    func collect(timeLimit: Duration, outputBytesMax: Int) throws(VariableCapacityError) -> [UInt8] {
        var limit = EngineInstant.now() + timeLimit
        var written = PipeReading(output, bytesMax: outputBytesMax)
        var complaint = PipeReading(errors, bytesMax: Self.errorBytesMax)
        var failure: VariableCapacityError?
        while true {
            let (status, isCancelled) = (process.status, isCancelled.withLock { $0 })
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
            process.signalGroup(SIGKILL)
            limit = .now() + Self.killedWait
        }
    }

    private func tell() {
        var byte: UInt8 = 1
        // A full pipe wakes the reader as well.
        _ = write(wake.writing, &byte, 1)
    }

    private func wait(for descriptors: [Int32], until limit: EngineInstant) {
        // Closed ones are -1, which poll(2) passes over.
        var polled = (descriptors + [wake.reading]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = min(max(0, (limit - .now()).inMilliseconds.rounded(.up)), 60_000)
        _ = poll(&polled, nfds_t(polled.count), Int32(milliseconds))
        var bytes: (UInt64, UInt64) = (0, 0)
        _ = withUnsafeMutableBytes(of: &bytes) { Glibc.read(wake.reading, $0.baseAddress, $0.count) }
    }

    private static func failure(_ status: Int32, _ complaint: PipeReading) -> VariableCapacityError {
        let end = status & 0x7f == 0 ? "with status \((status >> 8) & 0xff)" : "by signal \(status & 0x7f)"
        let said = String(decoding: complaint.bytes.prefix(errorBytesMax), as: UTF8.self).split(separator: "\n").first ?? "nothing"
        return VariableCapacityError(.commandFailed, "It ended \(end), saying: \(said)")
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
