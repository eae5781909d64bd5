public import EngineCore

/// One version of a function as the catalog keeps it: what the API answers about it.
public struct FunctionEntry: Hashable, Sendable {
    public let key: FunctionKey
    public let version: FunctionVersion
    /// A lower-case UUID, new at every change.
    public let revision: String
    public let settings: FunctionSettings
    public let code: CodeReference
    /// Seconds since 1970.
    public let lastModified: Double
    /// Of its account.
    public let isolation: SandboxPolicy.Isolation

    public init(
        key: FunctionKey, version: FunctionVersion, revision: String, settings: FunctionSettings, code: CodeReference,
        lastModified: Double, isolation: SandboxPolicy.Isolation = .shared
    ) {
        self.key = key
        self.version = version
        self.revision = revision
        self.settings = settings
        self.code = code
        self.lastModified = lastModified
        self.isolation = isolation
    }

    /// What its sandbox is told.
    public var sandbox: SandboxPolicy {
        SandboxPolicy(egress: egress, systemCalls: settings.systemCalls, isolation: isolation)
    }

    /// The entries were checked when they were given. Should one no longer be accepted, nothing is permitted rather than a part.
    private var egress: EgressPolicy {
        do throws(EgressPolicyError) { return try EgressPolicy(settings.egress) } catch { return .none }
    }

    /// What an invocation needs of it. A new object at each call; ``Catalog/pinned(_:_:)`` answers the shared one.
    public var pinned: PinnedVersion {
        PinnedVersion(
            key: key, version: version, revision: revision, runtime: settings.runtime, handler: settings.handler,
            memory: .mebibytes(settings.memoryMebibytes), temporaryStorage: .mebibytes(settings.temporaryStorageMebibytes),
            timeout: .seconds(settings.timeoutSeconds), environment: settings.environment, codeDigest: code.digest,
            codeSize: code.size, sandbox: sandbox, affinity: settings.affinity, placement: settings.placement)
    }
}
