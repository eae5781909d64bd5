/// What a node says of itself to its peers (`GET /wayside/v2/health`).
public struct NodeHealth: Hashable, Sendable, Codable {
    public enum Role: String, Sendable, Codable {
        case pop, region
    }

    public var node: String
    public var role: Role
    /// It takes no new work because it is shutting down.
    public var draining: Bool
    /// The share of its capacity in use, 0 to 1.
    public var load: Double

    public init(node: String, role: Role, draining: Bool, load: Double) {
        self.node = node
        self.role = role
        self.draining = draining
        self.load = load
    }
}
