public import EngineCore
public import Logging
import Synchronization

/// Brings the versions of this node's functions to the regions that are to hold them, and code that is missing here from those that do.
///
/// ```
/// a change ──► replicate(_:) ──► ReplicationRound: a quorum holds it ──► the change is made
/// every second: which versions are held by too few or too many regions? ──┐
/// want(_:): the code of a version is not here ────────────────────────────┼──► ReplicationQueue ──► bring · release · fetch
/// superseded(_:), abandoned(_:): nobody is pinned to these ───────────────┘
/// ```
public final class Replicator: Sendable {
    /// What it needs of the node.
    public struct Store: Sendable {
        /// The versions of the functions deployed here.
        public var versions: @Sendable () -> [PinnedVersion]
        /// Whether new calls are pinned to this revision. O(1); must not block.
        public var isCurrent: @Sendable (PinnedVersion) -> Bool
        /// Whether the code is unpacked here.
        public var hasCode: @Sendable (ContentDigest) -> Bool
        /// Unpacks the package that is here. Throws `codeUnavailable` if none is, or it is damaged.
        public var restore: @Sendable (ContentDigest) async throws(InvocationError) -> Void
        /// Unpacks and keeps a package; refuses bytes that do not have the digest.
        public var keep: @Sendable ([UInt8], ContentDigest) async throws(InvocationError) -> Void

        public init(
            versions: @escaping @Sendable () -> [PinnedVersion], isCurrent: @escaping @Sendable (PinnedVersion) -> Bool,
            hasCode: @escaping @Sendable (ContentDigest) -> Bool,
            restore: @escaping @Sendable (ContentDigest) async throws(InvocationError) -> Void,
            keep: @escaping @Sendable ([UInt8], ContentDigest) async throws(InvocationError) -> Void
        ) {
            self.versions = versions
            self.isCurrent = isCurrent
            self.hasCode = hasCode
            self.restore = restore
            self.keep = keep
        }
    }

    enum Key: Hashable, Sendable {
        case bring(revision: String, region: String)
        case release(revision: String, region: String)
        case fetch(ContentDigest)

        /// What calls wait for finds a place however much there is to bring, and that one however much may be released later.
        func sparing(of all: Int) -> Int {
            switch self {
            case .fetch: 0
            case .bring: all / 8
            case .release: all / 2
            }
        }
    }

    struct State: Sendable {
        var queue: ReplicationQueue<Key, PinnedVersion>
        var demand: ReplicationDemand
        /// The versions that this round of looks has still to take in.
        var unseen: ArraySlice<PinnedVersion> = []
    }

    let regions: RegionDirectory
    public let configuration: ReplicationConfiguration
    let store: Store
    let logger: Logger
    let state: Mutex<State>
    /// Something new is due.
    let signals: AsyncStream<Void>
    let signal: AsyncStream<Void>.Continuation

    public init(regions: RegionDirectory, configuration: ReplicationConfiguration, store: Store, logger: Logger) {
        self.regions = regions
        self.configuration = configuration
        self.store = store
        self.logger = logger
        state = Mutex(State(queue: ReplicationQueue(configuration: configuration), demand: ReplicationDemand(configuration: configuration)))
        (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// A call of the version was forwarded. O(1).
    public func forwarded(_ version: PinnedVersion) {
        guard configuration.breadth > 0 else { return }
        state.withLock { $0.demand.note(version.revision, now: .now()) }
    }

    /// The code of a version of this node is not here: it is fetched in the background, once however often this is called.
    public func want(_ version: PinnedVersion) {
        add(.fetch(version.codeDigest), version)
    }

    /// No new call is pinned to these: regions need not hold them, once the calls that are have ended.
    public func superseded(_ versions: [PinnedVersion]) {
        release(versions) { regions.holders(revision: $0.revision) }
    }

    /// A change that had these sent to regions was not made. What is still on its way to one may be taken there all the same.
    public func abandoned(_ versions: [PinnedVersion]) {
        release(versions) { _ in regions.names }
    }

    /// What is current stays. What is lost here, because too much waits or this process ends, the regions drop when nobody calls it.
    private func release(_ versions: [PinnedVersion], from names: (PinnedVersion) -> [String]) {
        guard configuration.breadth > 0 else { return }
        for version in versions where !store.isCurrent(version) {
            for region in names(version) {
                add(.release(revision: version.revision, region: region), version, after: configuration.quiet)
            }
        }
    }

    func add(_ key: Key, _ version: PinnedVersion, after delay: Duration = .zero) {
        let now = EngineInstant.now()
        let sparing = key.sparing(of: configuration.queueMax)
        let isNew = state.withLock { $0.queue.add(key, version, due: now + delay, sparing: sparing, now: now) }
        if isNew, delay == .zero { signal.yield() }
    }

    /// How many regions are to hold a version now.
    func breadth(of version: PinnedVersion, now: EngineInstant) -> Int {
        let all = regions.names.count
        return state.withLock { $0.demand.breadth(version.revision, all: all, now: now) }
    }
}
