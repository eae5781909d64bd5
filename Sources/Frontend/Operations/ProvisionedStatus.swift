/// How far the containers have come that are provisioned for a version.
public struct ProvisionedStatus: Hashable, Sendable {
    /// As `Status` says it.
    public enum State: String, Hashable, Sendable {
        case inProgress = "IN_PROGRESS"
        case ready = "READY"
        case failed = "FAILED"
    }

    /// Containers that are initialised and serve no call now.
    public var available: Int
    /// Containers that are initialised.
    public var allocated: Int
    public var state: State
    /// `StatusReason` of what failed, such as `FUNCTION_ERROR_INIT_FAILURE`.
    public var reason: String?

    public init(available: Int, allocated: Int, state: State, reason: String? = nil) {
        self.available = available
        self.allocated = allocated
        self.state = state
        self.reason = reason
    }

    /// Nothing has begun.
    public static let inProgress = ProvisionedStatus(available: 0, allocated: 0, state: .inProgress)
}
