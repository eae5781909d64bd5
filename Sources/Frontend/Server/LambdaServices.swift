public import ContentDistribution
public import EngineCore
public import FunctionCatalog
public import NIOPosix

/// Brings one invocation to its result without a task of the caller's: answers what ends it when its client goes away, and completes
/// once, on any thread, or before it returns. Not for calls that want a particular container or a stream of results.
public typealias InvocationStart = @Sendable (
    InvocationRequest, _ completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
) -> @Sendable () -> Void

/// What the API acts on: the parts of the engine, and the clocks.
public struct LambdaServices: Sendable {
    public var catalog: Catalog
    public var bundles: BundleStore
    /// In the order in which errors list them.
    public var runtimes: [KnownRuntime]
    /// Brings one invocation to its result. Its task is cancelled when the client goes away.
    public var invoke: @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult
    /// Does the same for a caller on an event loop; `nil`: there is only ``invoke``.
    public var begin: InvocationStart?
    /// Called after a change is durable and before it is answered, on a thread that may block for a moment; and when a deployment has
    /// failed, with nothing superseded, on any thread.
    public var functionChanged: @Sendable (FunctionChange) -> Void
    /// Returns when enough regions hold these versions for calls of them to be served; `nil`: this node has no regions that must.
    public var replicate: (@Sendable ([PinnedVersion]) async throws(InvocationError) -> Void)?
    /// Told of versions that were handed to ``replicate`` by a change that was not made.
    public var abandoned: @Sendable ([PinnedVersion]) -> Void
    /// The regions that hold a version, as far as this node knows.
    public var holders: @Sendable (PinnedVersion) -> [String]
    /// How far the containers have come that are provisioned for a version. Asked on a thread that may block for a moment.
    public var provisionedStatus: @Sendable (FunctionKey, FunctionVersion) -> ProvisionedStatus
    /// For what blocks: the catalog's writes and the bundle store.
    public var threadPool: NIOThreadPool
    public var clock: LambdaClock
    /// Makes and opens the tokens of containers; `nil`: there are none, and every one that comes is void.
    public var affinityTokens: AffinityTokens?
    /// Shared with the peers' server.
    public var bodies: BodyMemory

    public init(
        catalog: Catalog, bundles: BundleStore, runtimes: [KnownRuntime],
        invoke: @escaping @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult,
        begin: InvocationStart? = nil,
        functionChanged: @escaping @Sendable (FunctionChange) -> Void = { _ in },
        replicate: (@Sendable ([PinnedVersion]) async throws(InvocationError) -> Void)? = nil,
        abandoned: @escaping @Sendable ([PinnedVersion]) -> Void = { _ in },
        holders: @escaping @Sendable (PinnedVersion) -> [String] = { _ in [] },
        provisionedStatus: @escaping @Sendable (FunctionKey, FunctionVersion) -> ProvisionedStatus = { _, _ in .inProgress },
        threadPool: NIOThreadPool = .singleton, clock: LambdaClock = .system, affinityTokens: AffinityTokens? = nil,
        bodies: BodyMemory = BodyMemory()
    ) {
        self.catalog = catalog
        self.bundles = bundles
        self.runtimes = runtimes
        self.invoke = invoke
        self.begin = begin
        self.functionChanged = functionChanged
        self.replicate = replicate
        self.abandoned = abandoned
        self.holders = holders
        self.provisionedStatus = provisionedStatus
        self.threadPool = threadPool
        self.clock = clock
        self.affinityTokens = affinityTokens
        self.bodies = bodies
    }
}

/// A Lambda runtime identifier that functions may declare.
public struct KnownRuntime: Hashable, Sendable {
    /// Such as `python3.13`.
    public let identifier: String
    /// Whether its functions name a handler; `provided` ones need none.
    public let needsHandler: Bool

    public init(identifier: String, needsHandler: Bool) {
        self.identifier = identifier
        self.needsHandler = needsHandler
    }
}

/// What a change to a function leaves behind.
public struct FunctionChange: Sendable {
    /// No new call is pinned to these; their containers may end when they are idle.
    public let superseded: [PinnedVersion]
    /// Packages that no function may refer to any more; the bundles of those that none does may go when nothing runs from them.
    public let unreferenced: [ContentDigest]
}
