public import EngineCore

/// Why a call found no container of its function idle, and what would have made it warm.
public struct ColdStartReport: Sendable, Codable {
    /// Seconds since 1970.
    public var whenEpochSeconds: Double
    public var version: FunctionVersion?
    public var requestID: RequestID?
    /// How it came by its container; `nil` if it came by none.
    public var branch: CapacityBranch?
    public var cause: ColdCause
    public var details: Details
    /// The cause with its numbers, for people.
    public var sentence: String
    /// What would have made the call warm.
    public var remedy: String

    /// The numbers behind a cause; those that are not known are `nil`, and are not spoken of.
    public struct Details: Sendable, Codable, Equatable {
        /// How long before this call the last container had ended.
        public var endedAgoSeconds: Double?
        /// How long that one had been idle when it ended.
        public var idleSeconds: Double?
        /// Whom it gave way to: an ARN.
        public var evictedFor: String?
        /// How many of the function's containers were busy or starting.
        public var busy: Int?

        public init(
            endedAgoSeconds: Double? = nil, idleSeconds: Double? = nil, evictedFor: String? = nil, busy: Int? = nil
        ) {
            self.endedAgoSeconds = endedAgoSeconds
            self.idleSeconds = idleSeconds
            self.evictedFor = evictedFor
            self.busy = busy
        }
    }

    public init(
        whenEpochSeconds: Double, function: FunctionKey, version: FunctionVersion?, requestID: RequestID? = nil, branch: CapacityBranch?,
        cause: ColdCause, details: Details = Details()
    ) {
        self.whenEpochSeconds = whenEpochSeconds
        self.version = version
        self.requestID = requestID
        self.branch = branch
        self.cause = cause
        self.details = details
        let explanation = ColdStartExplanation(cause: cause, details: details, function: function.name, version: version)
        sentence = explanation.sentence
        remedy = explanation.remedy
    }
}

/// What `GET /v1/why-cold` answers.
public struct ColdStartsAnswer: Sendable, Codable {
    /// The ARN.
    public var function: String
    /// Newest first.
    public var coldStarts: [ColdStartReport]
}
