/// Why the engine could not bring one invocation to a result. A function's own failure is a result, not one of these.
public struct InvocationError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// Neither this node nor a region has capacity for it now.
        case overloaded
        /// The account's policy is to reject a call whose dedicated capacity is busy.
        case rejectedByPolicy = "rejected_by_policy"
        /// The account may not be given more capacity.
        case noPermission = "no_permission"
        /// The function runs as often at once as is reserved for it.
        case reservedConcurrency = "reserved_concurrency"
        /// No variable capacity was to be had for the account's bid in time.
        case variableCapacity = "variable_capacity"
        /// The container that the call requires cannot serve it.
        case affinity
        /// It has been forwarded as often as permitted.
        case hopLimit = "hop_limit"
        /// The node takes no new work because it is shutting down.
        case draining
        /// A region does not hold the pinned version; the sender supplies it and sends again.
        case versionNotHeld = "version_not_held"
        /// The bundle of the pinned version cannot be had or is damaged.
        case codeUnavailable = "code_unavailable"
        /// The version's code is not here yet, and no region can take the call meanwhile.
        case codeNotCurrent = "code_not_current"
        /// The sandbox could not be set up.
        case startFailed = "start_failed"
        /// The process that holds the sandboxes died while the call was running.
        case launcherLost = "launcher_lost"
        /// The whole budget of the call was used up by waiting.
        case deadlineExceeded = "deadline_exceeded"
        /// The client has gone; nobody reads the answer.
        case aborted
        /// The region was lost after the call had been sent: it may or may not have run.
        case regionFailed = "region_failed"
        /// No region can be reached, and the call does not fit here.
        case noRegion = "no_region"
        /// A rule of the engine was broken.
        case internalFailure = "internal_failure"
    }

    public let code: Code
    /// What failed and what to do about it, for the caller. Names no secret and no path of the host.
    public let message: String
    /// How far the call had come at the node it was forwarded to; `nil`: it was not, or ``surelyNotStarted`` says all there is.
    public let stage: ForwardStage?

    public init(_ code: Code, _ message: String, stage: ForwardStage? = nil) {
        self.code = code
        self.message = message
        self.stage = stage
    }

    public var description: String { "\(code.rawValue): \(message)" }

    /// Whether it is certain that no handler has begun to run this call, so that it may be tried elsewhere (PLACE-17).
    public var surelyNotStarted: Bool {
        switch code {
        case .overloaded, .rejectedByPolicy, .noPermission, .reservedConcurrency, .variableCapacity, .affinity, .hopLimit, .draining,
            .versionNotHeld, .codeUnavailable, .codeNotCurrent, .startFailed, .noRegion:
            true
        case .launcherLost, .deadlineExceeded, .aborted, .regionFailed, .internalFailure: false
        }
    }
}
