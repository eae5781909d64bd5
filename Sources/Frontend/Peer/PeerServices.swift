public import EngineCore
public import NIOCore
public import RegionForwarding

/// What the peers' server needs of the node it stands before.
public struct PeerServices: Sendable {
    /// This node's name.
    public var node: String
    public var role: NodeHealth.Role
    /// The version with this revision, if this node holds it. Whether its package is here ``hasBundle`` says, which is asked for every
    /// invocation.
    public var heldVersion:
        @Sendable (FunctionKey, FunctionVersion, _ revision: String) async throws(InvocationError) -> PinnedVersion?
    /// Keeps a version whose package is held. Keeping what is kept changes nothing.
    public var hold: @Sendable (PinnedVersion) async throws(InvocationError) -> Void
    public var hasBundle: @Sendable (ContentDigest) async -> Bool
    /// Keeps a package; must refuse bytes that do not have the digest. Blocking work is its own to put elsewhere.
    public var addBundle: @Sendable ([UInt8], ContentDigest) async throws(InvocationError) -> Void
    /// A package that is here, verified.
    public var package: @Sendable (ContentDigest) async throws(InvocationError) -> ByteBuffer
    /// Drops a version that another node has sent. Dropping what is not held changes nothing.
    public var release: @Sendable (VersionIdentity) async throws(InvocationError) -> Void
    /// Runs an invocation here; it is cancelled when the sender has gone.
    public var invoke: @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult
    /// The version, if it and its package are here, as far as can be told on an event loop at once. `nil` otherwise; the call then takes
    /// the way that looks.
    public var versionAtHand: @Sendable (FunctionKey, FunctionVersion, _ revision: String) -> PinnedVersion?
    /// Does what ``invoke`` does for a caller on an event loop. `nil`: there is only ``invoke``.
    public var begin: InvocationStart?
    public var isDraining: @Sendable () -> Bool
    /// The share of the capacity in use, 0 to 1.
    public var load: @Sendable () -> Double
    /// Told of every call and version that comes, and sent to the peers that ask for it; `nil`: this node has no reports.
    public var reports: ReportFeed?
    /// Shared with the clients' server.
    public var bodies: BodyMemory

    public init(
        node: String, role: NodeHealth.Role,
        heldVersion:
            @escaping @Sendable (FunctionKey, FunctionVersion, _ revision: String) async throws(InvocationError) -> PinnedVersion?,
        hold: @escaping @Sendable (PinnedVersion) async throws(InvocationError) -> Void,
        hasBundle: @escaping @Sendable (ContentDigest) async -> Bool,
        addBundle: @escaping @Sendable ([UInt8], ContentDigest) async throws(InvocationError) -> Void,
        package: @escaping @Sendable (ContentDigest) async throws(InvocationError) -> ByteBuffer,
        release: @escaping @Sendable (VersionIdentity) async throws(InvocationError) -> Void,
        invoke: @escaping @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult,
        versionAtHand: @escaping @Sendable (FunctionKey, FunctionVersion, _ revision: String) -> PinnedVersion? = { _, _, _ in nil },
        begin: InvocationStart? = nil,
        isDraining: @escaping @Sendable () -> Bool, load: @escaping @Sendable () -> Double, reports: ReportFeed? = nil,
        bodies: BodyMemory = BodyMemory()
    ) {
        self.node = node
        self.role = role
        self.heldVersion = heldVersion
        self.hold = hold
        self.hasBundle = hasBundle
        self.addBundle = addBundle
        self.package = package
        self.release = release
        self.invoke = invoke
        self.versionAtHand = versionAtHand
        self.begin = begin
        self.isDraining = isDraining
        self.load = load
        self.reports = reports
        self.bodies = bodies
    }
}

/// The limits of the peers' server.
public struct PeerLimits: Hashable, Sendable {
    /// The largest payload taken; a larger one is answered 413 `body_too_large`.
    public var payloadBytesMax = ForwardWire.payloadBytesMax
    /// The largest package taken; a larger one is answered 413 `body_too_large`. Lambda takes 50 MiB directly.
    public var bundleBytesMax = 50 << 20
    /// Packages being received or sent at one time, each in memory; a further one is answered 503 `overloaded`.
    public var bundlesMax = 4
    /// The hops a call may have made; beyond, it is answered 508 `hop_limit`.
    public var hopsMax = 1
    /// Calls of one connection at a time; peers keep to it.
    public var streamsPerConnection = 1000
    /// The fields of one request, with 32 bytes for each (RFC 9113, section 6.5.2).
    public var headBytesMax = 16 << 10
    /// How long a connection's calls may go on when the server shuts down.
    public var drainTimeout: Duration = .seconds(30)

    /// How long a peer may say nothing on a connection with calls under way; it is asked meanwhile (PING). Then the connection ends, and
    /// what runs for it is cancelled.
    public var silenceMax: Duration = .seconds(10)

    /// How long a connection may be open: longer than the other end uses one (`ForwardingConfiguration.connectionAgeMax` and
    /// `retirementMax`), for those that do not keep to that. So no certificate counts for longer after it has been replaced.
    public var connectionAgeMax: Duration = .seconds(4600)

    public init() {}
}
