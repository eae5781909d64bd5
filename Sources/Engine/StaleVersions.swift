internal import EngineCore
internal import FunctionCatalog
internal import Synchronization

/// The versions that may run in place of newer ones whose code is not here, for functions whose owners permit that.
///
/// What `$LATEST` was before its last change comes first, then the version published last. Nothing else is ever run in place of what a
/// caller named, and a caller who named a number gets that version or an error.
final class StaleVersions: Sendable {
    /// Functions whose former `$LATEST` is remembered, with its code; beyond, any of them is forgotten.
    static let rememberedMax = 1024

    private let catalog: Catalog
    private let hasCode: @Sendable (ContentDigest) -> Bool
    private let former = Mutex<[FunctionKey: PinnedVersion]>([:])

    init(catalog: Catalog, hasCode: @escaping @Sendable (ContentDigest) -> Bool) {
        self.catalog = catalog
        self.hasCode = hasCode
    }

    /// Code that must stay though no version in the catalog refers to it.
    var digests: Set<ContentDigest> { former.withLock { Set($0.values.map(\.codeDigest)) } }

    /// No new call is pinned to these any more.
    func superseded(_ versions: [PinnedVersion]) {
        for version in versions where version.version == .latest {
            let current = try? catalog.pinned(version.key, .latest)
            former.withLock { former in
                guard current?.placement.servesStale == true else {
                    former[version.key] = nil
                    return
                }
                // Only a setting was changed: what there was before has the same code, and what had other code is still wanted.
                if version.codeDigest == current?.codeDigest, former[version.key] != nil { return }
                if former.count >= Self.rememberedMax, former[version.key] == nil, let other = former.keys.first { former[other] = nil }
                former[version.key] = version
            }
        }
    }

    /// What may run in place of `version`, whose code is not here; `nil`: nothing.
    func version(for version: PinnedVersion) -> PinnedVersion? {
        guard version.version == .latest, version.placement.servesStale else { return nil }
        let published = catalog.allVersions(of: version.key).filter { $0.version != .latest }.sorted { $0.version > $1.version }
        // The account's choice of isolation holds for what was made before it, too.
        let former = former.withLock { $0[version.key] }.flatMap { $0.sandbox.isolation == version.sandbox.isolation ? $0 : nil }
        let candidates = (former.map { [$0] } ?? []) + published
        return candidates.first { hasCode($0.codeDigest) }
    }
}
