public import EngineCore

/// A tenant of this node.
public struct Account: Hashable, Sendable {
    public let id: AccountID
    /// For people; need not be unique.
    public let name: String
    /// Sorted by age, the oldest first.
    public let accessKeyIDs: [String]
    /// Seconds since 1970.
    public let created: Double
    /// How the containers of all its functions are started.
    public let isolation: SandboxPolicy.Isolation
    /// What it may take of the node's capacity.
    public let permission: CapacityPermission
}
