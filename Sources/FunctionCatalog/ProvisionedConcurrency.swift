public import EngineCore

/// How many containers of a version its owner wants to be initialised ahead.
public struct ProvisionedConcurrency: Hashable, Sendable {
    public let key: FunctionKey
    /// A published one.
    public let version: FunctionVersion
    /// At least 1.
    public let count: Int
    /// Seconds since 1970.
    public let lastModified: Double
}

/// What is to be dedicated to one version: told to whoever keeps the containers.
public struct ProvisionedTarget: Sendable {
    /// The version as it is now; with ``count`` 0, as it was last.
    public let pinned: PinnedVersion
    /// 0: no more than any other.
    public let count: Int

    private struct Identity: Hashable {
        let key: FunctionKey
        let version: FunctionVersion
    }

    /// Those that are others in `new`, and with a count of 0 those that are there no more. O(both).
    static func changed(from old: [ProvisionedTarget], to new: [ProvisionedTarget]) -> [ProvisionedTarget] {
        guard !old.isEmpty || !new.isEmpty else { return [] }
        var rest = Dictionary(uniqueKeysWithValues: old.map { ($0.identity, $0) })
        let changed = new.filter { target in
            guard let known = rest.removeValue(forKey: target.identity) else { return true }
            return known.count != target.count || known.pinned !== target.pinned
        }
        return changed + rest.values.map { ProvisionedTarget(pinned: $0.pinned, count: 0) }
    }

    private var identity: Identity { Identity(key: pinned.key, version: pinned.version) }
}
