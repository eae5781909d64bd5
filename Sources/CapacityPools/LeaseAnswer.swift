public import EngineCore

/// The answer to a caller that wants a container.
public enum LeaseAnswer: Equatable, Sendable {
    case warm(ContainerGrant)
    /// The caller starts it and says `containerStarted` or `containerEnded`.
    case start(StartPlan)
    /// `resume` follows, unless the caller says `cancel`.
    case wait(WaiterID, CapacityWait)
    case refused(CapacityRefusal)
}

/// A container that serves the call and nobody else until it is released.
public struct ContainerGrant: Equatable, Sendable {
    public let container: ContainerID
    public let instance: InstanceID
    /// Where its instance came from; `nil`: the memory that all share.
    public let subPool: SubPoolID?
    /// What became of the wish for a particular container; `nil` if there was none.
    public let affinity: InvocationRecord.Affinity?
}

/// How a container is to be started for a caller that holds its lease already.
public struct StartPlan: Equatable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Into this instance of the account.
        case container
        /// The spare container of an instance from the warming pool, which becomes the account's.
        case instance
        /// Into a new instance.
        case newInstance
    }

    public let kind: Kind
    public let instance: InstanceID
    public let container: ContainerID
    /// Where its instance comes from; `nil`: the memory that all share.
    public let subPool: SubPoolID?
    /// Why nothing was warm for the call; `nil` if it is started ahead of calls.
    public let cause: ColdCause?
    /// What became of the wish for a particular container; `nil` if there was none.
    public let affinity: InvocationRecord.Affinity?

    public var branch: CapacityBranch {
        switch kind {
        case .container: .ownInstance
        case .instance: .warmingPool
        case .newInstance: .newInstance
        }
    }
}
