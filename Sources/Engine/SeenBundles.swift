internal import ContentDistribution
internal import EngineCore
internal import Synchronization

/// Whether bundles are unpacked here, for who asks at every call: what was seen on the disk is believed for a moment. Who misses one that
/// was believed in says so.
final class SeenBundles: Sendable {
    /// How long it is believed.
    private static let period = Duration.seconds(1)
    /// When so many have been seen, all are looked at anew.
    private static let countMax = 4096

    private let bundles: BundleStore
    private let seen = Mutex<[ContentDigest: EngineInstant]>([:])

    init(_ bundles: BundleStore) { self.bundles = bundles }

    /// O(1), and mostly without a look at the disk.
    func contains(_ digest: ContentDigest, now: EngineInstant = .now()) -> Bool {
        let isKnown = seen.withLock { seen in seen[digest].map { now - $0 < Self.period } ?? false }
        guard !isKnown else { return true }
        let isHere = bundles.contains(digest)
        seen.withLock { seen in
            if seen.count >= Self.countMax { seen.removeAll(keepingCapacity: true) }
            seen[digest] = isHere ? now : nil
        }
        return isHere
    }

    /// It is not here, whatever was seen.
    func forget(_ digest: ContentDigest) { seen.withLock { $0[digest] = nil } }
}
