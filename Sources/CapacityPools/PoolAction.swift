/// What the shell has to do after a transition, outside the lock.
public enum PoolAction: Equatable, Sendable {
    /// Make an instance with a booted spare container for the warming pool; then `instanceReady` or `instanceEnded`.
    case bootInstance(InstanceID, spare: ContainerID, runtime: String)
    /// Start and initialise a container of this class ahead of calls; then `preloaded` or `containerEnded`.
    case preload(StartPlan, ContainerClass)
    /// End it with all its containers; then `instanceEnded`.
    case killInstance(InstanceID)
    /// End it; then `containerEnded`.
    case killContainer(ContainerID)
    /// The memory of this container is taken back: its call has `PoolConfiguration.reclaimGrace` to finish.
    case notice(ContainerID)
    /// Hand a waiting caller its answer, which is `warm`, `start` or `refused`.
    case resume(WaiterID, LeaseAnswer)
}
