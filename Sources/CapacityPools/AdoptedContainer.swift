public import EngineCore

/// A container that outlived the process that started it, and is taken over as an idle one.
public struct AdoptedContainer: Sendable {
    public var container: UInt64
    public var instance: UInt64
    public var kind: ContainerClass
    /// Where its instance came from, as the process before knew it.
    public var subPool: SubPoolID?
    public var home: ObjectIdentifier?
    public var idleSince: EngineInstant
    /// When its instance was made.
    public var bornAt: EngineInstant
    /// What its calls have left in it.
    public var state: ByteCount

    public init(
        container: UInt64, instance: UInt64, kind: ContainerClass, subPool: SubPoolID? = nil, home: ObjectIdentifier? = nil,
        idleSince: EngineInstant, bornAt: EngineInstant, state: ByteCount = .zero
    ) {
        self.container = container
        self.instance = instance
        self.kind = kind
        self.subPool = subPool
        self.home = home
        self.idleSince = idleSince
        self.bornAt = bornAt
        self.state = state
    }
}
