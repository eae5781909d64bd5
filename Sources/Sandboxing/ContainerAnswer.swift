public import EngineCore

/// What became of one call in a container.
public struct ContainerAnswer: Sendable {
    /// The function's result or failure; `nil` when there is none: aborted, launcher lost, or not started at all.
    public let outcome: InvocationResult.Outcome?
    public let endingParty: InvocationRecord.EndingParty
    /// Lambda's error type of a function error, if it has one.
    public let errorType: String?
    /// What the function wrote during this call, and before it while it initialised.
    public let output: InvocationLog
    /// How long this call waited for the function to initialise; `nil` when an earlier call had done so.
    public let initialise: Duration?
    /// How long this call waited for its container to be thawed; `nil` when it was not frozen.
    public let thaw: Duration?
    /// From the event's handing over to the answer; zero when it never came to that.
    public let run: Duration
    /// The most memory the container has used in its life; `nil` where no cgroup is usable.
    public let memoryPeak: ByteCount?
    /// What calls have left in the container, in memory and files, since it was initialised; `nil` unless the call wanted this container.
    public let stateHeld: ByteCount?
    /// Whether the container can take another call. If not, it is ending already or has to be killed.
    public let isReusable: Bool
    /// Whether it is certain that the function never saw this call, so that it may be tried elsewhere. Only with `outcome == nil`.
    public let surelyNotStarted: Bool

    init(
        outcome: InvocationResult.Outcome?, endingParty: InvocationRecord.EndingParty, errorType: String? = nil,
        output: InvocationLog = InvocationLog(), initialise: Duration? = nil, thaw: Duration? = nil, run: Duration = .zero,
        memoryPeak: ByteCount? = nil, stateHeld: ByteCount? = nil, isReusable: Bool = false, surelyNotStarted: Bool = false
    ) {
        self.outcome = outcome
        self.endingParty = endingParty
        self.errorType = errorType
        self.output = output
        self.initialise = initialise
        self.thaw = thaw
        self.run = run
        self.memoryPeak = memoryPeak
        self.stateHeld = stateHeld
        self.isReusable = isReusable
        self.surelyNotStarted = surelyNotStarted
    }

    /// For a call that reached a container which had ended, or was never meant to take it.
    static let notStarted = ContainerAnswer(outcome: nil, endingParty: .engine, surelyNotStarted: true)
    /// For a call whose client had gone before it was handed over.
    static let abortedBefore = ContainerAnswer(outcome: nil, endingParty: .client, surelyNotStarted: true)
}
