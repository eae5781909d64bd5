public import NIOCore

/// One call, pinned to a version, from its arrival at this node to its answer.
public struct InvocationRequest: Sendable {
    public let id: RequestID
    public let function: PinnedVersion
    /// The ARN the caller used, with its qualifier; shown to the function as `invokedFunctionArn`.
    public let invokedARN: String
    /// The event exactly as received: JSON text, never empty.
    public let payload: ByteBuffer
    /// Decoded JSON text of `X-Amz-Client-Context`.
    public let clientContext: String?
    /// `X-Amzn-Trace-Id`, made if absent.
    public let traceID: String
    /// When the request had been received.
    public let arrival: EngineInstant
    /// The end of the whole budget: arrival plus what the owner's time-out and the engine's allowance for starting permit.
    /// The function's own time-out starts to count when its handler starts; no wait anywhere exceeds this instant.
    public let deadline: EngineInstant
    public let origin: Origin
    /// The container the call wants; `nil`: any.
    public var affinity: AffinityDemand?
    /// For work that is not time-sensitive: how long after its arrival it may begin at the latest.
    public var deferral: Duration?
    /// What the node that forwarded it decided that with; `nil` for a client's call, and if that node did not say.
    public var forwarded: ForwardOrigin?
    /// Where the result goes while it is being made; `nil`: it is wanted whole.
    public var results: ResultStream?

    /// Where the call came from.
    public enum Origin: Hashable, Sendable {
        /// A client of this node.
        case client
        /// Another node, after `hops` hops (at least 1). It is never forwarded back.
        case peer(node: String, hops: Int)
    }

    public init(
        id: RequestID, function: PinnedVersion, invokedARN: String, payload: ByteBuffer, clientContext: String?, traceID: String,
        arrival: EngineInstant, deadline: EngineInstant, origin: Origin, affinity: AffinityDemand? = nil, deferral: Duration? = nil,
        forwarded: ForwardOrigin? = nil, results: ResultStream? = nil
    ) {
        self.id = id
        self.function = function
        self.invokedARN = invokedARN
        self.payload = payload
        self.clientContext = clientContext
        self.traceID = traceID
        self.arrival = arrival
        self.deadline = deadline
        self.origin = origin
        self.affinity = affinity
        self.deferral = deferral
        self.forwarded = forwarded
        self.results = results
    }
}
