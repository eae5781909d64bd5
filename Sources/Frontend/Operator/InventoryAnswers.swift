public import EngineCore

/// What `GET /v1/instances` answers.
public struct InstancesAnswer: Sendable, Codable {
    public var instances: [InstanceReport]
}

/// What ending an instance or a container answers.
public struct KillAnswer: Sendable, Codable {
    public var instance: UInt64
    /// The containers that end with it.
    public var containers: [UInt64]
    /// Of these, the ones that ran a call just before.
    public var busy: Int
}
