internal import CapacityPools
internal import EngineCore
internal import NIOPosix
internal import Synchronization

/// Joins the sandbox host and the catalog to what can only be made after them.
final class EventRelay: Sendable {
    private let target = Mutex<ContainerPool?>(nil)
    private let listener = Mutex<(@Sendable ([PinnedVersion]) -> Void)?>(nil)

    var pool: ContainerPool? {
        get { target.withLock { $0 } }
        set { target.withLock { $0 = newValue } }
    }

    /// Told of versions that are superseded by others than the API. It may call the catalog and block for a moment.
    var onSuperseded: (@Sendable ([PinnedVersion]) -> Void)? {
        get { listener.withLock { $0 } }
        set { listener.withLock { $0 = newValue } }
    }

    /// Returns at once: the catalog calls this from within a change.
    func superseded(_ versions: [PinnedVersion]) {
        NIOThreadPool.singleton.submit { [self] state in
            // Not active only when the program ends.
            if case .active = state { onSuperseded?(versions) }
        }
    }
}
