public import EngineCore

/// What the router asks and tells about the code of versions. By default all code is here.
public struct CodePresence: Sendable {
    /// Whether the code is unpacked here. Asked when no container is idle, so it must be quick.
    public var isHere: @Sendable (PinnedVersion) -> Bool
    /// Has it fetched in the background; must be quick, however often it is called.
    public var want: @Sendable (PinnedVersion) -> Void
    /// The version whose code is here that may run in place of this one, whose code is not: `nil` unless its owner permits that.
    public var stale: @Sendable (PinnedVersion) -> PinnedVersion?
    /// A region has answered a call of the version.
    public var forwarded: @Sendable (PinnedVersion) -> Void

    public init(
        isHere: @escaping @Sendable (PinnedVersion) -> Bool = { _ in true }, want: @escaping @Sendable (PinnedVersion) -> Void = { _ in },
        stale: @escaping @Sendable (PinnedVersion) -> PinnedVersion? = { _ in nil },
        forwarded: @escaping @Sendable (PinnedVersion) -> Void = { _ in }
    ) {
        self.isHere = isHere
        self.want = want
        self.stale = stale
        self.forwarded = forwarded
    }
}

extension InvocationRequest {
    /// The same call, of another version of its function.
    func running(_ version: PinnedVersion) -> InvocationRequest {
        InvocationRequest(
            id: id, function: version, invokedARN: invokedARN, payload: payload, clientContext: clientContext, traceID: traceID,
            arrival: arrival, deadline: deadline, origin: origin, affinity: affinity, deferral: deferral,
            forwarded: forwarded, results: results)
    }
}

extension InvocationRecord {
    /// `version` runs in place of the newest.
    mutating func serve(_ version: PinnedVersion) {
        self.version = version.version
        staleRevision = version.revision
        memoryLimit = version.memory
    }
}
