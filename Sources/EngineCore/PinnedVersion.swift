/// One immutable version of a function with all that is needed to run it.
///
/// An invocation is pinned to exactly one of these when it arrives and keeps it to the end, also across a hop to a region, so
/// that an update in between can never mix two versions (WHOLE-01). It is a class so that the warm path passes a reference and
/// compares identities instead of copying settings.
public final class PinnedVersion: Sendable, Codable {
    public let key: FunctionKey
    public let version: FunctionVersion
    /// New at every change of code or configuration; two pinned versions with equal revision are the same.
    public let revision: String
    /// The Lambda runtime identifier the owner declared, such as `python3.13`.
    public let runtime: String
    /// Empty for runtimes without handlers (`provided.al2023`).
    public let handler: String
    public let memory: ByteCount
    public let temporaryStorage: ByteCount
    public let timeout: Duration
    /// The owner's variables only; the reserved ones are added when a container is assigned.
    public let environment: [String: String]
    /// SHA-256 of the deployment package (the zip), which names the bundle in the content store.
    public let codeDigest: ContentDigest
    public let codeSize: ByteCount
    public let sandbox: SandboxPolicy
    /// The owner's rule of which requests belong together; `nil`: none.
    public let affinity: AffinityRule?
    public let placement: PlacementRule

    public init(
        key: FunctionKey, version: FunctionVersion, revision: String, runtime: String, handler: String, memory: ByteCount,
        temporaryStorage: ByteCount, timeout: Duration, environment: [String: String], codeDigest: ContentDigest,
        codeSize: ByteCount, sandbox: SandboxPolicy = SandboxPolicy(), affinity: AffinityRule? = nil,
        placement: PlacementRule = PlacementRule()
    ) {
        self.key = key
        self.version = version
        self.revision = revision
        self.runtime = runtime
        self.handler = handler
        self.memory = memory
        self.temporaryStorage = temporaryStorage
        self.timeout = timeout
        self.environment = environment
        self.codeDigest = codeDigest
        self.codeSize = codeSize
        self.sandbox = sandbox
        self.affinity = affinity
        self.placement = placement
    }

    /// The ARN as the function sees it in its context: unqualified for `$LATEST` asked by name, else with the version.
    public var arn: String {
        switch version {
        case .latest: key.arn
        case .published: key.arn(qualifier: version.description)
        }
    }
}
