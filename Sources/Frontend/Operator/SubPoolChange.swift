public import EngineCore

/// What the operator changes of a sub-pool; what is `nil` stays as it is.
public struct SubPoolChange: Hashable, Sendable {
    public var floor: Int?
    public var ceiling: Int?
    /// Of a fixed one; zero ends it.
    public var memory: ByteCount?

    public init(floor: Int? = nil, ceiling: Int? = nil, memory: ByteCount? = nil) {
        self.floor = floor
        self.ceiling = ceiling
        self.memory = memory
    }
}

/// What a change of a sub-pool answers.
public struct SubPoolAnswer: Sendable, Codable {
    public var changed: SubPoolID
    /// As it is after the change; absent when it is no more, or not yet.
    public var subPool: SubPoolReport?
}
