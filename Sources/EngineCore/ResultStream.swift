public import NIOCore
internal import Synchronization

// One result, on its way from who makes it to who reads it while it is being made.
//
//     silent ──begin──► flowing ⇄ stopped     (the maker stops at `heldBytesMax`, and goes on when half of it has been read)
//        │                 │         │
//        └─────────────────┴──end────┴──► ended ──(the rest is read)──► over
//
//     each of them ──abandon: the reader has gone──► abandoned        (nothing is held, and what is written is dropped)

/// The bytes of a result between one maker and one reader, a bounded number at a time: a slow reader stops the maker.
///
/// The maker may be on an event loop and never waits; the reader is a task. A function that does not stream never begins, and its whole
/// result is in the end.
public final class ResultStream: Sendable {
    /// Bytes that wait for the reader; from then on the maker is asked to stop. What it has read already may come on top.
    public static let heldBytesMax = 256 << 10

    /// What is known when the first bytes come.
    public struct Head: Sendable, Equatable {
        /// As the function says; `nil`: it says none.
        public var contentType: String?
        public var decision: InvocationRecord.Decision?
        public var reason: DecisionReason?
        /// The node that runs the function.
        public var site: String?
        public var startLevel: StartLevel?

        public init() {}
    }

    public enum Part: Sendable {
        /// Comes first, unless the function does not stream.
        case head(Head)
        case bytes(ByteBuffer)
        /// Comes last.
        case end(Result<InvocationResult, InvocationError>)
    }

    /// What the maker does next.
    public enum Verdict: Sendable {
        case goOn
        /// The bytes were taken, and no more are wanted until `resume` is called.
        case stop
        /// The result would have more than `bytesMax` bytes; these were not taken.
        case tooLong
        /// Nobody reads it.
        case unread
    }

    private struct State {
        var head = Head()
        var hasBegun = false
        var isHeadRead = false
        var held = CircularBuffer<ByteBuffer>()
        var heldByteCount = 0
        var writtenByteCount = 0
        var ending: Result<InvocationResult, InvocationError>?
        var isAbandoned = false
        var resume: (@Sendable () -> Void)?
        var reader: CheckedContinuation<Part?, Never>?
    }

    /// How long the result may become; `nil`: as long as it likes.
    public let bytesMax: Int?
    private let state = Mutex(State())

    public init(bytesMax: Int? = nil) { self.bytesMax = bytesMax }

    /// Whether the first bytes are on their way: from then on the call cannot be tried elsewhere.
    public var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// The bytes taken so far.
    public var writtenByteCount: Int { state.withLock { $0.writtenByteCount } }

    // MARK: The maker

    /// Adds to what the head says; of no effect once it has been read.
    public func describe(_ change: (inout Head) -> Void) { state.withLock { change(&$0.head) } }

    /// The function streams. Once.
    public func begin(contentType: String?) {
        hand { state in
            state.head.contentType = contentType
            state.hasBegun = true
        }
    }

    /// - Parameter resume: called once if the verdict is `stop`, from any thread: there is room again, or the reader has gone.
    public func write(_ bytes: ByteBuffer, resume: @escaping @Sendable () -> Void) -> Verdict {
        hand { state in
            guard !state.isAbandoned else { return .unread }
            guard bytesMax.map({ state.writtenByteCount + bytes.readableBytes <= $0 }) ?? true else { return .tooLong }
            guard bytes.readableBytes > 0 else { return .goOn }
            state.writtenByteCount += bytes.readableBytes
            state.heldByteCount += bytes.readableBytes
            state.held.append(bytes)
            guard state.heldByteCount >= Self.heldBytesMax, state.reader == nil else { return .goOn }
            state.resume = resume
            return .stop
        }
    }

    /// Writes and waits until more are wanted.
    ///
    /// - Returns: `goOn`, `tooLong` or `unread`.
    public func write(_ bytes: ByteBuffer) async -> Verdict {
        await withCheckedContinuation { continuation in
            let verdict = write(bytes) { continuation.resume(returning: .goOn) }
            if case .stop = verdict {} else { continuation.resume(returning: verdict) }
        }
    }

    /// Nothing follows. Once.
    public func end(_ result: Result<InvocationResult, InvocationError>) { hand { $0.ending = result } }

    /// Changes the state and hands the reader that waits what there is for it then.
    private func hand<Answer>(_ change: (inout State) -> Answer) -> Answer {
        let (answer, reader, part) = state.withLock { state -> (Answer, CheckedContinuation<Part?, Never>?, Part?) in
            let answer = change(&state)
            guard state.reader != nil, let part = Self.take(&state) else { return (answer, nil, nil) }
            defer { state.reader = nil }
            return (answer, state.reader, part)
        }
        reader?.resume(returning: part)
        return answer
    }

    // MARK: The reader

    /// The next part, once it is there; `nil` after the last. When the task is cancelled the rest is abandoned.
    public func next() async -> Part? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, part, resume) = state.withLock { state -> (Bool, Part?, (@Sendable () -> Void)?) in
                    let isOver = state.isAbandoned
                    let part = isOver ? nil : Self.take(&state)
                    guard part != nil || isOver else {
                        state.reader = continuation
                        return (false, nil, nil)
                    }
                    guard state.heldByteCount <= Self.heldBytesMax / 2 else { return (isOver, part, nil) }
                    defer { state.resume = nil }
                    return (isOver, part, state.resume)
                }
                resume?()
                if isOver || part != nil { continuation.resume(returning: part) }
            }
        } onCancel: {
            abandon()
        }
    }

    /// The reader has gone. From any thread.
    public func abandon() {
        let (reader, resume) = state.withLock { state in
            state.isAbandoned = true
            state.held.removeAll()
            state.heldByteCount = 0
            defer { (state.reader, state.resume) = (nil, nil) }
            return (state.reader, state.resume)
        }
        reader?.resume(returning: nil)
        resume?()
    }

    /// What is to be read next; `nil` when there is nothing yet.
    private static func take(_ state: inout State) -> Part? {
        if state.hasBegun, !state.isHeadRead {
            state.isHeadRead = true
            return .head(state.head)
        }
        if let bytes = state.held.popFirst() {
            state.heldByteCount -= bytes.readableBytes
            return .bytes(bytes)
        }
        guard let ending = state.ending else { return nil }
        // It comes once, and after it nothing ever.
        state.isAbandoned = true
        return .end(ending)
    }
}
