public import EngineCore
public import Sandboxing

/// A container of the wanted version, and how it was come by.
public struct ContainerLease: Sendable {
    let id: ContainerID
    public let container: SandboxContainer
    public let level: StartLevel
    public var capacity: InvocationRecord.Capacity
    /// Waiting for capacity.
    public var wait = Duration.zero
    /// Fetching the bundle.
    public var fetch = Duration.zero
    /// Making instance and container.
    public var start = Duration.zero
}
