internal import CapacityPools
internal import Synchronization

/// Joins the sandbox host to the pool, each of which needs the other to be made first.
final class EventRelay: Sendable {
    private let target = Mutex<ContainerPool?>(nil)

    var pool: ContainerPool? {
        get { target.withLock { $0 } }
        set { target.withLock { $0 = newValue } }
    }
}
