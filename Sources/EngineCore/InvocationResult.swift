public import NIOCore

/// What an invocation ended in, as far as the caller is concerned.
///
/// A function's own failure is a result; errors of the engine are thrown.
public struct InvocationResult: Sendable {
    public enum Outcome: Sendable {
        /// JSON text as the function returned it; empty if the result went into a ``ResultStream``.
        case success(ByteBuffer)
        /// The error object (JSON text) of a function that raised, exited, timed out or was killed.
        case functionError(ByteBuffer)

        public var payload: ByteBuffer {
            switch self {
            case .success(let payload), .functionError(let payload): payload
            }
        }
    }

    public let outcome: Outcome
    /// The log of this invocation in Lambda's text form (START … END, REPORT); its last 4 KiB answer `LogType=Tail`.
    public let log: InvocationLog
    public var record: InvocationRecord { recorded.record }
    /// Shared: a record is more than a kilobyte, and a call that waits has room set aside for the result in every function it waits in.
    private let recorded: Recorded

    private final class Recorded: Sendable {
        let record: InvocationRecord
        init(_ record: InvocationRecord) { self.record = record }
    }

    public init(outcome: Outcome, log: InvocationLog, record: InvocationRecord) {
        self.outcome = outcome
        self.log = log
        recorded = Recorded(record)
    }
}

/// The captured output of one invocation.
public struct InvocationLog: Sendable {
    public var text: ByteBuffer
    /// Bytes the function wrote beyond the configured limit. They are counted, never silently lost.
    public var droppedByteCount: Int

    public init(text: ByteBuffer = ByteBuffer(), droppedByteCount: Int = 0) {
        self.text = text
        self.droppedByteCount = droppedByteCount
    }

    /// The last `limit` bytes, or all.
    public func tail(limit: Int) -> ByteBuffer {
        let surplus = max(0, text.readableBytes - limit)
        return text.getSlice(at: text.readerIndex + surplus, length: text.readableBytes - surplus) ?? text
    }
}
