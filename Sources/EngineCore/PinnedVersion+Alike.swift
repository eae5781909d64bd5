extension PinnedVersion {
    /// Whether a container started for the one serves calls of the other as well: equal in everything but the revision.
    ///
    /// The nodes of a site have catalogs of their own, so that one function deployed to each has a revision at each. For a sticky call
    /// the node that has the container takes its own version in place of an equal one from its neighbour (STICK-19).
    public func isAlike(_ other: PinnedVersion) -> Bool {
        key == other.key && version == other.version && runtime == other.runtime && handler == other.handler && memory == other.memory
            && temporaryStorage == other.temporaryStorage && timeout == other.timeout && environment == other.environment
            && codeDigest == other.codeDigest && sandbox == other.sandbox && affinity == other.affinity
            && placement == other.placement
    }
}
