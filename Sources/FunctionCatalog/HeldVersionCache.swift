import EngineCore

/// Held versions in memory, with the order of their use.
struct HeldVersionCache: Sendable {
    struct Identity: Hashable, Sendable {
        let key: FunctionKey
        let version: FunctionVersion
        let revision: String
    }

    private struct Entry {
        let version: PinnedVersion
        var used: Int64
    }

    private var entries: [Identity: Entry] = [:]
    /// The newest use, counted over the life of the database.
    private var newestUse: Int64
    /// Uses up to this one are in the database.
    private var savedUse: Int64
    /// How often something was dropped; what was read before a drop is not remembered after it.
    private(set) var drops = 0

    init(newestUse: Int64) {
        self.newestUse = newestUse
        savedUse = newestUse
    }

    /// Answers the version and counts the use. O(1).
    mutating func use(_ identity: Identity) -> PinnedVersion? {
        guard let version = entries[identity]?.version else { return nil }
        let use = nextUse()
        entries[identity]?.used = use
        return version
    }

    /// The number of a use that happens now.
    mutating func nextUse() -> Int64 {
        newestUse += 1
        return newestUse
    }

    /// - Returns: the version to go on with: the one that is there already, if any, so that it stays the same object.
    mutating func remember(_ version: PinnedVersion, as identity: Identity, used: Int64) -> PinnedVersion {
        if let known = entries[identity] { return known.version }
        entries[identity] = Entry(version: version, used: used)
        return version
    }

    mutating func drop(_ identities: [Identity]) {
        guard !identities.isEmpty else { return }
        for identity in identities { entries[identity] = nil }
        drops += 1
    }

    /// The uses the database does not know yet. O(held versions).
    func unsavedUses() -> (uses: [(Identity, Int64)], newest: Int64) {
        (entries.filter { $0.value.used > savedUse }.map { ($0.key, $0.value.used) }, newestUse)
    }

    mutating func saved(upTo use: Int64) { savedUse = max(savedUse, use) }
}
