internal import EngineCore
internal import NIOCore

/// What a container's runtime says, whichever way it speaks. Delivered on the container's event loop, in order, never from within
/// ``RuntimeChannel/invoke(_:deadline:)``.
enum RuntimeEvent: Sendable {
    /// It is up and waits for its function.
    case booted
    /// The user's code is loaded.
    case ready
    /// The user's code could not be loaded; the error object is the runtime's own.
    case initialisationFailed(ByteBuffer, errorType: String?)
    /// The answer to the call under way. A result's bytes are handed on unseen, as Lambda does: the built-in runtimes make JSON,
    /// and a `provided` function may answer with any bytes. After one that is its last the runtime ends by itself.
    case answered(InvocationResult.Outcome, errorType: String?, isLast: Bool = false)
    /// The result of the call under way is streamed: `part`s follow, and then `answered` with nothing more.
    case streaming(contentType: String?)
    /// The next bytes of a result that is streamed.
    case part(ByteBuffer)
    /// The call under way has failed in a way that only the engine can put into words.
    case failed(RuntimeFault)
    /// Nothing more will come.
    case closed
}

/// Why a call has no answer of its runtime's that could be handed on.
enum RuntimeFault: Hashable, Sendable {
    /// Not the runtime's doing: what came with the call does not fit on the wire, and nothing of it was sent.
    case callTooLarge
    case answerTooLarge(isLast: Bool = false)
    case responseMode
    /// A result that was streamed has no end, and its runtime lives on.
    case truncated
    /// The container cannot be used any more.
    case violation(String)
}

/// The engine's side of the conversation with one container's runtime.
protocol RuntimeChannel: AnyObject, Sendable {
    /// Tells the runtime which function it is; `ready` or `initialisationFailed` follows. From any thread, also before the runtime
    /// is up.
    func initialise(_ settings: InitialisationSettings)
    /// Sends one call; at most one is under way. From any thread.
    ///
    /// - Parameter deadline: when the call will be ended as timed out, in milliseconds since 1970.
    func invoke(_ request: InvocationRequest, deadline: Int64)
    /// Whether the runtime waits for its next call, as far as is known here. On the event loop.
    var isWaiting: Bool { get }
    /// Reads no more of a result that is streamed, so that its runtime has to wait. What is on its way comes still. On the event loop.
    func pause()
    /// Goes on after ``pause()``; harmless otherwise. On the event loop.
    func resume()
    /// What another process can go on from, for a runtime that waits for its next call; `nil` when there is more to it than that. The
    /// descriptors stay the channel's, until ``close()``. On the event loop.
    func park() -> ParkedChannel?
    /// The runtime process is gone: what it has sent is still delivered, then `closed`. On the event loop.
    func processEnded()
    /// Gives everything back; no event follows. On the event loop.
    func close()
}
