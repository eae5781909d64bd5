public import EngineCore
import HTTPTypes
public import Logging
public import NIOCore
import NIOHPACK
import NIOPosix
import NIOSSL
import Placement
import Synchronization

/// The way to one region: forwards invocations and supplies the versions it lacks.
///
/// Connections are HTTP/2 with mutual TLS, long-lived, and verified by the region's node name. Retrying elsewhere is for the
/// caller, by ``EngineCore/InvocationError/surelyNotStarted``: a failure counts as such until the payload has been handed to
/// a connection, and after that only when the region itself says so (PLACE-16, PLACE-17).
///
/// | what failed | code |
/// |---|---|
/// | no connection: refused, timed out, wrong certificate; or all streams in use | `overloaded` |
/// | the region refused: full, draining, or the message was not acceptable to it | `overloaded`, `draining` |
/// | the region lacks the version, also after it was supplied | `version_not_held` |
/// | the region could not start it | `start_failed`, `code_unavailable` |
/// | time was up before it was sent | `deadline_exceeded` |
/// | the connection was lost, or the answer late or damaged, after it was sent | `region_failed` |
/// | the calling task was cancelled; the region sees the stream reset | `aborted` |
public final class RegionClient: Sendable {
    /// Supplies the package (zip) of a bundle this node has.
    public typealias Package = @Sendable (ContentDigest) async throws(InvocationError) -> ByteBuffer

    /// The region's node name.
    public var name: String { peer.name }
    public let peer: RegionPeer
    let node: String
    let configuration: ForwardingConfiguration
    let package: Package
    let logger: Logger
    let identity: NodeIdentity
    let connections: Mutex<ConnectionGenerations<RegionConnections>>
    /// Makes connections with the identity's certificate of this generation.
    let makeConnections: @Sendable (_ generation: UInt64, _ now: EngineInstant) -> RegionConnections
    let status: Mutex<Status>
    let reports: Mutex<RegionReports>
    /// Calls under way there.
    let calls = Atomic(0)
    private let begun = Atomic(false)
    private let removal = AsyncStream<Void>.makeStream()
    private let handshakes: Handshakes
    let supply: VersionSupply
    let authority: String
    /// The fields of every request.
    let peerFields: HTTPFields
    /// The head of every invocation, but for its length.
    let invocationHead: HPACKHeaders

    /// What is known of the region.
    struct Status {
        var health = RegionHealth()
        /// Why it was out of reach last, and since when that is known.
        var failure: (reason: String, at: EngineInstant)?
        /// What it said last to a probe, and when.
        var said: NodeHealth?
        var saidAt: EngineInstant?
        /// In seconds, by probes and calls.
        var roundTrip: PeakAverage
    }

    /// What became of the connections so far.
    private final class Handshakes: Sendable {
        let count = Atomic(0)
        /// The region's certificate on the last one.
        let certificate = Mutex<NodeCertificate?>(nil)
    }

    /// - Parameters:
    ///   - identity: this node's; its name is the origin of what is forwarded.
    ///   - group: `nil` for the program's own.
    /// - Throws: `invalidName` when the peer's name or URL is not one.
    public init(
        peer: RegionPeer, identity: NodeIdentity, configuration: ForwardingConfiguration = .init(),
        group: (any EventLoopGroup)? = nil,
        logger: Logger, package: @escaping Package
    ) throws(ForwardingError) {
        let (host, port) = try peer.address()
        self.peer = peer
        self.configuration = configuration
        self.package = package
        var logger = logger
        logger[metadataKey: "region"] = "\(peer.name)"
        self.logger = logger
        node = identity.name
        self.identity = identity
        supply = VersionSupply(remembered: configuration.suppliesRemembered)
        status = Mutex(Status(roundTrip: PeakAverage(timeConstant: configuration.roundTripTimeConstant.inSeconds)))
        reports = Mutex(RegionReports(rowsMax: configuration.reportRowsMax))
        let handshakes = Handshakes()
        self.handshakes = handshakes
        authority = "\(peer.name):\(port)"
        peerFields = [.waysideProtocol: ForwardWire.protocolVersion, .waysideOrigin: identity.name]
        invocationHead = PeerTransport.head(
            .post, ForwardWire.invocationsPath, authority: authority, fields: peerFields, bodyByteCount: nil)

        let transport = PeerTransport.Configuration(
            host: host, port: port, name: peer.name, connectionsMax: configuration.connectionsMax,
            streamsPerConnection: configuration.streamsPerConnection, connectTimeout: TimeAmount(configuration.connectTimeout),
            idleTimeout: TimeAmount(configuration.idleTimeout), silenceMax: TimeAmount(configuration.silenceMax))
        let makeConnections = { @Sendable (generation: UInt64, now: EngineInstant) in
            let made = PeerTransport(
                transport, tls: identity.clientConfiguration, group: group ?? MultiThreadedEventLoopGroup.singleton
            ) { connection in
                handshakes.count.add(1, ordering: .relaxed)
                try Self.verify(connection, isOf: peer.name, handshakes)
            }
            return RegionConnections(generation: generation, madeAt: now, transport: made)
        }
        self.makeConnections = makeConnections
        connections = Mutex(ConnectionGenerations(makeConnections(identity.generation, .now())))
    }

    /// Refuses a connection to another node than the one that is meant, before anything is sent on it.
    ///
    /// TLS is content with a certificate that has the IP address connected to, and nodes can share one.
    private static func verify(_ connection: any Channel, isOf node: String, _ handshakes: Handshakes) throws {
        let shown = try connection.pipeline.syncOperations.nioSSL_peerCertificate()
        let certificate = try shown.map { try NodeCertificate(derEncoded: $0.toDERBytes()) }
        guard certificate?.node == node else {
            throw ForwardingError(
                .forbidden, "The node that answers is \(certificate?.node ?? "nobody"), not \(node). Check the address.")
        }
        handshakes.certificate.withLock { $0 = certificate }
    }

    // MARK: - From being configured to being removed

    /// Keeps what is known of the region fresh until it is removed or the task is cancelled, then closes the connections. A removed
    /// region's calls under way may end first.
    ///
    /// At most once; a second time it returns at once.
    func run() async {
        guard !begun.exchange(true, ordering: .relaxed) else { return }
        await withTaskGroup { group in
            group.addTask { await self.watch() }
            group.addTask { await self.followReports() }
            group.addTask { for await _ in self.removal.stream {} }
            await group.next()
            group.cancelAll()
        }
        let end = EngineInstant.now() + configuration.retirementMax
        while !Task.isCancelled, calls.load(ordering: .relaxed) > 0, EngineInstant.now() < end {
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: configuration.backoffMin)
        }
        await shutdown()
    }

    /// Ends ``run()``: the region is no longer configured.
    func remove() { removal.continuation.finish() }

    /// Whether ``run()`` closes the connections.
    var hasBegun: Bool { begun.load(ordering: .relaxed) }

    /// The certificate that the region showed on the newest connection.
    public var certificate: NodeCertificate? { handshakes.certificate.withLock { $0 } }

    private func watch() async {
        while !Task.isCancelled {
            await probe()
            await closeRetired()
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: configuration.probeInterval * Double.random(in: 0.8...1.2))
        }
    }

    // MARK: - Reachability

    /// Characters of a reason that are kept for the operator.
    private static let reasonLengthMax = 300

    /// O(1).
    public func isReachable(now: EngineInstant = .now()) -> Bool {
        status.withLock { $0.health.isReachable(now: now) }
    }

    func noteSuccess() { status.withLock { $0.health.succeeded() } }

    /// The region has taken a call.
    func noteAccepted() { status.withLock { $0.health.accepted() } }

    /// The region has refused a call for lack of capacity.
    func noteRefusal() {
        let backoff = configuration.saturationMin...configuration.saturationMax
        status.withLock { $0.health.refused(now: .now(), jitter: .random(in: 0...1), backoff: backoff) }
    }

    /// How long an exchange was on the way.
    ///
    /// - Parameter connections: ``connectionCount`` when it began; one that had to make its connection is not measured.
    func noteRoundTrip(_ time: Duration, connections: Int) {
        guard connections == connectionCount else { return }
        let now = Double(EngineInstant.now().nanoseconds) / 1e9
        status.withLock { $0.roundTrip.add(max(0, time.inSeconds), now: now) }
    }

    /// Connections made so far.
    var connectionCount: Int { handshakes.count.load(ordering: .relaxed) }

    func noteFailure(_ reason: String) {
        let backoff = configuration.backoffMin...configuration.backoffMax
        let failures = status.withLock { status -> Int? in
            // Calls that waited for one connection fail as one.
            guard !status.health.isOpen(now: .now()) else { return nil }
            status.health.failed(now: .now(), jitter: .random(in: 0...1), backoff: backoff)
            status.failure = (String(reason.prefix(Self.reasonLengthMax)), .now())
            return status.health.consecutiveFailures
        }
        guard let failures else { return }
        reports.withLock { $0.lost() }
        logger.notice("The region is out of reach.", metadata: ["reason": "\(reason)", "failures": "\(failures)"])
    }

    // MARK: - Exchanges

    /// One request and its whole answer.
    struct Exchange: Sendable {
        var status: Int
        var body: ByteBuffer
    }

    /// How an exchange ended other than with an answer.
    enum Failure: Error, CustomStringConvertible {
        /// All connections are full.
        case full
        case cancelled
        /// The deadline came first.
        case late
        case lost(any Error)
        /// The answer had begun when it was lost, or when the deadline came.
        case cutOff(any Error)

        var description: String {
            switch self {
            case .full: "all connections are full"
            case .cancelled: "cancelled"
            case .late: "no answer in time"
            case .lost(let error), .cutOff(let error): "\(error)"
            }
        }
    }

    /// Sends one request on a connection that has room.
    ///
    /// - Parameters:
    ///   - body: its length must be known. The empty ones of HEAD and GET are `nil`.
    ///   - answerBytesMax: a longer answer counts as `lost`.
    func exchange(
        _ method: HTTPRequest.Method, _ path: String, fields: HTTPFields, body: RequestBody?, answerBytesMax: Int,
        deadline: EngineInstant
    ) async throws(Failure) -> Exchange {
        let connections = acquire()
        defer { connections.release() }
        let head = PeerTransport.head(method, path, authority: authority, fields: fields, bodyByteCount: body?.byteCount)
        return try await connections.transport.send(
            PeerExchange(head: head, body: body), answerBytesMax: answerBytesMax, deadline: deadline)
    }

    /// Reads the body of one answer while it comes, until it ends, its connection gets no new calls or the task is cancelled.
    ///
    /// - Parameters:
    ///   - headMax: how long the answer's head may take.
    ///   - part: what to do with the next bytes.
    /// - Throws: `full`, `cancelled`, `lost`; for an answer other than 200 too.
    func read(
        _ path: String, fields: HTTPFields, headMax: Duration, part: @Sendable (ByteBuffer) throws -> Void
    ) async throws(Failure) {
        try await withAnswer(.get, path, fields: fields, body: nil, headMax: headMax) { status, body, isRetired in
            guard status == 200 else {
                throw ForwardingError(.invalidAnswer, "Region \(name) answers \(path) with \(status).")
            }
            for try await bytes in body {
                try part(bytes)
                if isRetired() { return }
            }
        }
    }

    /// Sends one request and hands its answer to `use`, which may read the body as slowly as it likes.
    ///
    /// - Parameters:
    ///   - headMax: how long the answer's head may take.
    ///   - use: also gets what says whether the connection gets no new calls any more.
    /// - Throws: `full`, `cancelled`, `late`, `lost`; what `use` throws is `lost`, too, unless it is a `Failure` itself.
    func withAnswer<Value>(
        _ method: HTTPRequest.Method, _ path: String, fields: HTTPFields, body: RequestBody?, headMax: Duration,
        _ use: (_ status: Int, _ body: PeerAnswerBody, _ isRetired: () -> Bool) async throws -> Value
    ) async throws(Failure) -> Value {
        let connections = acquire()
        defer { connections.release() }
        let head = PeerTransport.head(method, path, authority: authority, fields: fields, bodyByteCount: body?.byteCount)
        return try await connections.transport.withAnswer(
            head, body: body, headDeadline: .now() + TimeAmount(headMax)
        ) { status, answer in try await use(status, answer) { isRetired(connections) } }
    }
}
