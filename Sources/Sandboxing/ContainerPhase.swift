internal import EngineCore
internal import NIOCore

/// Where a container is in its life; `SandboxContainer` draws the changes. An open call is part of the phase, so that whoever
/// leaves a phase has the call in hand and answers it or takes it along.
enum ContainerPhase {
    /// Not booted yet. The waiter is told when it is, or why it never will be.
    case preparing(waiter: CheckedContinuation<Result<Void, SandboxError>, Never>?)
    /// Booted, and nobody's.
    case spare
    /// A function's, not called yet. A program of the bundle's own runs already and may be ready before its first call.
    case assigned(isReady: Bool)
    case initialising(ContainerCall)
    case idle(since: EngineInstant)
    /// The freezer is being written, at this moment, on the event loop.
    case freezing
    case frozen
    /// Frozen, with a call that waits for the thaw.
    case thawing(ContainerCall)
    case busy(ContainerCall)
    /// Nothing new begins. The call, if any, waits for the launcher to say how the process ended.
    case ending(ContainerCall?)
    /// Left, or about to be left, to the launcher for the next process; for this one it has ended.
    case parked
    /// Gone before its first call, which is still to be told why.
    case stillborn(Stillbirth)
    case gone

    var call: ContainerCall? {
        switch self {
        case .initialising(let call), .thawing(let call), .busy(let call), .ending(let call?): call
        default: nil
        }
    }

    /// Whether output that arrives belongs to a call, the first call to come included.
    var isCapturing: Bool {
        switch self {
        case .assigned, .initialising, .busy, .ending: true
        case .preparing, .spare, .idle, .freezing, .frozen, .thawing, .parked, .stillborn, .gone: false
        }
    }
}

/// A call that has come and is not answered yet.
struct ContainerCall {
    let request: InvocationRequest
    /// Told once, on the container's event loop or at once on the caller's thread.
    let completion: @Sendable (ContainerAnswer) -> Void
    let began: EngineInstant
    /// Set when this call waited for the initialisation.
    var initialise: Duration?
    /// Whether the container was frozen when the call came, so that it is still certain to be unseen until it is handed over.
    var foundFrozen = false
    /// How long it then waited until the container was thawed.
    var thaw: Duration?
    /// When the event was handed to the runtime.
    var handedOver: EngineInstant?
    /// When it is ended as timed out.
    var expiry: EngineInstant
    /// The time-out it is then told of.
    var limit: Duration

    /// Whether the function cannot have seen any of it.
    var isSurelyNotStarted: Bool { foundFrozen && handedOver == nil }
}

/// Why a function cannot begin. Its first call gets it as the function's error, for that is what it is.
struct Stillbirth {
    enum Reason {
        case exited(ContainerExit.Reason)
        case failed(ByteBuffer, errorType: String?)
        case noEntrypoint
        /// Its list of system calls has a name that is none.
        case invalidProfile
        case violation(String)
    }

    var reason: Reason
    var output: InvocationLog
    var memoryPeak: ByteCount?
}

/// How a call ends, without the parts that every answer has.
struct CallVerdict {
    var outcome: InvocationResult.Outcome?
    var party: InvocationRecord.EndingParty
    var errorType: String?
    /// What the engine adds to the function's log.
    var logLine: String?

    init(_ outcome: InvocationResult.Outcome?, _ party: InvocationRecord.EndingParty, errorType: String? = nil) {
        self.outcome = outcome
        self.party = party
        self.errorType = errorType
    }

    init(_ failure: FunctionFailure, _ party: InvocationRecord.EndingParty) {
        outcome = .functionError(failure.body)
        self.party = party
        errorType = failure.errorType
        logLine = failure.logLine
    }

    init(_ reason: Stillbirth.Reason, _ id: RequestID) {
        switch reason {
        case .exited(let reason): self.init(exit: reason, id)
        case .failed(let body, let errorType): self.init(.functionError(body), .function, errorType: errorType)
        case .noEntrypoint: self.init(.invalidEntrypoint(id), .exit)
        case .invalidProfile: self.init(.invalidProfile(id), .exit)
        case .violation(let text): self.init(.protocolError(id, text), .exit)
        }
    }

    /// The process ended by itself, or was killed by the operator or the pool: then it is the engine's doing.
    init(exit reason: ContainerExit.Reason, _ id: RequestID) {
        switch reason {
        case .killed: self.init(nil, .engine)
        case .outOfMemory: self.init(.exited(id, reason), .outOfMemory)
        case .exited, .signaled: self.init(.exited(id, reason), .exit)
        }
    }
}
