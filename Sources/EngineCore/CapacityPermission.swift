/// What an account may take of a node's capacity. Part of the catalog; the next request that needs capacity is judged by it.
///
/// What the account holds already is not taken from it when its permission shrinks; it only gets nothing more.
public struct CapacityPermission: Hashable, Sendable, Codable {
    /// What happens to a call when its function's dedicated containers are all busy (POOL-10).
    public enum Shortage: String, Hashable, Sendable, Codable, CaseIterable {
        /// It takes other capacity that the account may use.
        case spill
        /// It waits for a dedicated container.
        case wait
        case reject
    }

    /// Whether capacity may be added for it: an instance, a container in one of its own, or one that is dedicated to it. Without, it has
    /// what it holds.
    public var mayGrow: Bool
    /// Instances at once, of whatever sub-pool. Reached: its calls wait for its own containers. `nil`: no limit of its own.
    public var instancesMax: Int?
    /// Memory of its containers together. Reached: its calls wait for its own containers.
    public var memoryMax: ByteCount?
    /// The kinds of sub-pools it may take from; dedicated ones are its own anyway.
    public var kinds: Set<SubPoolID.Kind>
    /// The fixed and variable sub-pools it may take from, by name; `nil`: none of the fixed, and every variable one it bids for.
    public var named: Set<String>?
    public var shortage: Shortage
    /// The highest price it pays for a GiB-hour of variable capacity; `nil`: it takes none.
    public var bid: Double?

    public init(
        mayGrow: Bool = true, instancesMax: Int? = nil, memoryMax: ByteCount? = nil, kinds: Set<SubPoolID.Kind> = [.general, .variable],
        named: Set<String>? = nil, shortage: Shortage = .spill, bid: Double? = nil
    ) {
        self.mayGrow = mayGrow
        self.instancesMax = instancesMax
        self.memoryMax = memoryMax
        self.kinds = kinds
        self.named = named
        self.shortage = shortage
        self.bid = bid
    }

    /// What an account has of which nothing is said.
    public static let standard = CapacityPermission()
}
