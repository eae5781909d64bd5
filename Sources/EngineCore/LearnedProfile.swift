/// The system calls a function made while it was watched: what a narrower filter for it is made of.
public struct LearnedProfile: Hashable, Sendable, Codable {
    /// By name, in the order of their numbers, each once.
    public var systemCalls: [String]
    /// How many events the function was given.
    public var invocations: Int
    /// How many of them it answered with an error. What it does after such a point was not seen.
    public var failures: Int
    /// How many calls the runtime's own filter permits; `nil` where that is not known.
    public var permittedByRuntime: Int?

    public init(systemCalls: [String], invocations: Int, failures: Int = 0, permittedByRuntime: Int? = nil) {
        self.systemCalls = systemCalls
        self.invocations = invocations
        self.failures = failures
        self.permittedByRuntime = permittedByRuntime
    }
}
