public import EngineCore

/// What an operator sets of a sub-pool. `nil` leaves it as it is, or at nothing where the sub-pool is new.
public struct SubPoolSettings: Hashable, Sendable {
    /// The least number of instances to keep ready; for general sub-pools.
    public var floor: Int?
    /// The greatest; at least the floor.
    public var ceiling: Int?
    /// What is set aside; for fixed sub-pools. A variable sub-pool's memory comes from its offers.
    public var memory: ByteCount?

    /// Instances that a general sub-pool may be told to keep ready at most.
    public static let ceilingMax = 10_000

    public init(floor: Int? = nil, ceiling: Int? = nil, memory: ByteCount? = nil) {
        self.floor = floor
        self.ceiling = ceiling
        self.memory = memory
    }
}
