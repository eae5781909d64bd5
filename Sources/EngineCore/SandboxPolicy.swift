/// What a function's sandbox permits beyond, or forbids beneath, what every sandbox does.
public struct SandboxPolicy: Hashable, Sendable, Codable {
    /// Whether containers may share what a booted interpreter holds.
    public enum Isolation: String, Hashable, Sendable, Codable {
        /// Forked from a zygote where the runtime has one: quick, and all containers of the runtime have one address-space layout.
        case shared
        /// Executed anew for each container, so that nothing learned in one says where things lie in another.
        case exec
    }

    /// Where the function may connect to; nowhere unless the owner lists it.
    public var egress: EgressPolicy
    /// The only system calls the function may make, by name; `nil` leaves the runtime's own filter alone. It can only narrow that.
    public var systemCalls: [String]?
    /// The account's choice, taken over when the version is pinned.
    public var isolation: Isolation

    public init(egress: EgressPolicy = .none, systemCalls: [String]? = nil, isolation: Isolation = .shared) {
        self.egress = egress
        self.systemCalls = systemCalls
        self.isolation = isolation
    }

    /// Whether a container that was prepared before its function was known may become this function's. Its network namespace, its
    /// system-call filter and its address-space layout are settled by then.
    public var fitsPreparedContainers: Bool { egress.isNone && systemCalls == nil && isolation == .shared }
}
