internal import CapacityPools
internal import EngineCore
internal import NIOPosix
internal import Synchronization

/// Removes bundles that no function refers to any more, once no container runs from them.
final class BundleSweeper: Sendable {
    private let pool: ContainerPool
    private let interval: Duration
    private let kept: @Sendable () -> Set<ContentDigest>
    /// Digests on their way out. Bounded by the bundles the store holds.
    private let doomed = Mutex<Set<ContentDigest>>([])

    /// - Parameter kept: what stays for now although nothing refers to it.
    init(pool: ContainerPool, interval: Duration, kept: @escaping @Sendable () -> Set<ContentDigest>) {
        self.pool = pool
        self.interval = interval
        self.kept = kept
    }

    /// Nothing in the catalog refers to these now.
    func remove(_ digests: [ContentDigest]) {
        doomed.withLock { $0.formUnion(digests) }
    }

    /// Looks from time to time, until cancelled.
    /// - Parameter removeUnreferenced: removes those that the catalog still does not refer to. Blocks.
    func run(_ removeUnreferenced: @escaping @Sendable (Set<ContentDigest>) -> Void) async {
        while (try? await Task.sleep(for: interval)) != nil {
            if doomed.withLock({ $0.isEmpty }) { continue }
            let inUse = pool.digestsInUse.union(kept())
            let free = doomed.withLock { digests in
                let free = digests.subtracting(inUse)
                digests.subtract(free)
                return free
            }
            guard !free.isEmpty else { continue }
            // Not active only when the program ends; what is left is swept when the store opens next.
            try? await NIOThreadPool.singleton.runIfActive { removeUnreferenced(free) }
        }
    }
}
