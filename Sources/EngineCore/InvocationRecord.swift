/// What happened to one invocation, kept by request id and printed by `wayside explain`.
///
/// Every invocation leaves exactly one at each node it crossed, with exactly one reason (PLACE-04) and exactly one ending
/// party (WHOLE-02).
public struct InvocationRecord: Sendable, Codable {
    /// Where a task runs.
    public enum Decision: String, Sendable, Codable, CaseIterable {
        case run, forward, refuse
    }

    /// Whose doing the end was.
    public enum EndingParty: String, Sendable, Codable, CaseIterable {
        /// The handler answered, with a result or by raising.
        case function
        /// The runtime process exited or was ended by a signal of its own.
        case exit
        /// The function's time-out.
        case timeout = "time_out"
        /// The memory limit of the container.
        case outOfMemory = "out_of_memory"
        /// The client hung up.
        case client
        /// The engine: a refusal, a failed start, a drain.
        case engine
        /// The region the call was forwarded to, or the way to it.
        case region
    }

    /// The shape of the answer.
    public enum Outcome: String, Sendable, Codable, CaseIterable {
        case success
        case functionError = "function_error"
        case engineError = "engine_error"
        case aborted
    }

    public var requestID: RequestID
    public var functionARN: String
    public var version: FunctionVersion
    public var account: AccountID
    /// The node that wrote this record.
    public var node: String
    public var decision: Decision
    public var reason: DecisionReason
    /// The node that ran the function: this one, or the region.
    public var site: String?
    /// How much was prepared when the run began; `nil` if nothing ran here.
    public var startLevel: StartLevel?
    /// Seconds since 1970 at arrival.
    public var arrivalEpochSeconds: Double
    public var spans: Spans
    public var outcome: Outcome
    public var endingParty: EndingParty
    /// Lambda's error type of a function error, or the engine's error code.
    public var errorType: String?
    public var memoryLimit: ByteCount
    public var memoryPeak: ByteCount?
    public var requestByteCount: Int
    /// With what was streamed, also of a result that was cut off.
    public var responseByteCount: Int
    /// The node the call came from and the hops it had made; `nil` for a client's call.
    public var forwardedBy: String?
    public var hops: Int
    /// What the node that forwarded the call here decided it with; `nil` also if that node did not say.
    public var origin: ForwardOrigin?
    /// The record of the region the call was forwarded to.
    public var remote: RemoteRecord?
    /// Attempts that did not bring the call to its end: at other nodes, and here if the call was tried again; `nil`: none.
    public var tries: [InvocationTry]?
    /// How the region was chosen, when one was; of a call that was tried in several, the last choice.
    public var regions: RegionChoice?
    /// The revision that ran in place of the newest, whose code was at hand nowhere; `nil`: the newest ran.
    public var staleRevision: String?
    /// What the placement decision saw; `nil` for calls that an idle container took at once.
    public var placement: PlacementBasis?
    /// How the call came by its container here; `nil` if it had none.
    public var capacity: Capacity?

    /// How a call came by capacity, or why it did not.
    public struct Capacity: Sendable, Codable, Equatable {
        public var subPool: SubPoolID?
        public var instance: UInt64?
        public var container: UInt64?
        /// Which launcher gave the container its number; set where affinity is.
        public var generation: UInt64?
        public var branch: CapacityBranch?
        /// What it waited for, if it did.
        public var waitedFor: CapacityWait?
        public var refusal: CapacityRefusal?
        /// Why nothing was warm, if it had to start something.
        public var coldCause: ColdCause?
        public var affinity: Affinity?

        public init() {}
    }

    /// What became of a wish for one particular container.
    public struct Affinity: Sendable, Codable, Equatable {
        public var source: AffinityDemand.Source
        public var value: String?
        public var result: AffinityDemand.Result
        /// The mapped container was busy and another served the call.
        public var isOverflow: Bool
        /// The caller's token was forged, expired or of another node.
        public var tokenIsVoid: Bool

        public init(
            source: AffinityDemand.Source, value: String?, result: AffinityDemand.Result, isOverflow: Bool = false,
            tokenIsVoid: Bool = false
        ) {
            self.source = source
            self.value = value
            self.result = result
            self.isOverflow = isOverflow
            self.tokenIsVoid = tokenIsVoid
        }
    }

    /// The parts of the total, in milliseconds. They do not overlap.
    public struct Spans: Sendable, Codable, Equatable {
        /// Arrival to decision.
        public var decide: Double = 0
        /// Waiting for capacity or for another call's start.
        public var wait: Double = 0
        /// Fetching and unpacking the bundle.
        public var fetch: Double = 0
        /// Making the instance and the container.
        public var start: Double = 0
        /// Thawing the idle container.
        public var thaw: Double = 0
        /// Loading the user's code.
        public var initialise: Double = 0
        /// In the handler.
        public var run: Double = 0
        /// At the region and on the way to it.
        public var forward: Double = 0
        /// Arrival to answer.
        public var total: Double = 0

        public init() {}
    }

    /// The part of the region's record that explains a forwarded call.
    public struct RemoteRecord: Sendable, Codable {
        public var node: String
        public var reason: DecisionReason
        public var startLevel: StartLevel?
        public var spans: Spans
        /// How the call came by its container there.
        public var capacity: Capacity?

        public init(node: String, reason: DecisionReason, startLevel: StartLevel?, spans: Spans, capacity: Capacity? = nil) {
            self.node = node
            self.reason = reason
            self.startLevel = startLevel
            self.spans = spans
            self.capacity = capacity
        }
    }

    public init(
        requestID: RequestID, functionARN: String, version: FunctionVersion, account: AccountID, node: String, decision: Decision,
        reason: DecisionReason, site: String? = nil, startLevel: StartLevel? = nil, arrivalEpochSeconds: Double,
        spans: Spans = Spans(), outcome: Outcome, endingParty: EndingParty, errorType: String? = nil, memoryLimit: ByteCount,
        memoryPeak: ByteCount? = nil, requestByteCount: Int, responseByteCount: Int = 0, forwardedBy: String? = nil, hops: Int = 0,
        remote: RemoteRecord? = nil
    ) {
        self.requestID = requestID
        self.functionARN = functionARN
        self.version = version
        self.account = account
        self.node = node
        self.decision = decision
        self.reason = reason
        self.site = site
        self.startLevel = startLevel
        self.arrivalEpochSeconds = arrivalEpochSeconds
        self.spans = spans
        self.outcome = outcome
        self.endingParty = endingParty
        self.errorType = errorType
        self.memoryLimit = memoryLimit
        self.memoryPeak = memoryPeak
        self.requestByteCount = requestByteCount
        self.responseByteCount = responseByteCount
        self.forwardedBy = forwardedBy
        self.hops = hops
        self.remote = remote
    }
}
