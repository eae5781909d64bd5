import EngineCore
import Frontend
import Hummingbird
import NIOCore
import RegionForwarding
import ServiceLifecycle
import Synchronization

/// A region of a test: the real server before a handler that the test writes.
final class TestRegion: Sendable {
    typealias Handler = @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult.Outcome

    struct State {
        var port = 0
        /// Shuts the region down in order.
        var shutDown: @Sendable () async -> Void = {}
        var isDraining = false
        var versions: [String: PinnedVersion] = [:]
        var bundles: Set<ContentDigest> = []
        var holdCount = 0
        var uploadCount = 0
        var requests: [InvocationRequest] = []
        /// Invocations whose version was looked up.
        var lookUpCount = 0
        var idleContainers = 0
        /// Calls find an idle container, and so many have.
        var isWarm = false
        var warmCount = 0
        /// Calls have no end until they are aborted; told of that.
        var warmHangs: (@Sendable () -> Void)?
        /// Its reports cannot be written, so the feed stops; all else goes on.
        var isMute = false
    }

    let name: String
    let feed: ReportFeed
    let bodies: BodyMemory
    private let shared: Shared
    private let handler: Handler

    /// The state, for those whom the region itself is made of.
    private final class Shared: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    init(name: String, holding versions: [PinnedVersion], bodies: BodyMemory, handler: @escaping Handler) {
        self.name = name
        self.bodies = bodies
        self.handler = handler
        let shared = Shared(
            State(
                versions: Dictionary(uniqueKeysWithValues: versions.map { ($0.revision, $0) }),
                bundles: Set(versions.map(\.codeDigest))))
        self.shared = shared
        var limits = ReportFeed.Limits()
        limits.heartbeat = .milliseconds(100)
        feed = ReportFeed(node: name, limits: limits, idleContainers: { _ in shared.state.withLock { $0.idleContainers } }) {
            shared.state.withLock {
                ReportFeed.Condition(load: $0.isMute ? .nan : 0.25, isSaturated: false, isDraining: $0.isDraining)
            }
        }
    }

    var now: State { shared.state.withLock { $0 } }
    func change(_ body: (inout State) -> Void) { shared.state.withLock { body(&$0) } }

    /// Tells of what it holds now.
    func tellHeld() { feed.hold(now.versions.values.map { VersionIdentity($0) }) }

    /// Runs a region while `body` runs. It ends its calls' connections at the end, five seconds later at the latest.
    /// - Parameter versions: those it holds from the beginning.
    static func with(
        _ fleet: Fleet, name: String = "region-1", certificate: String? = nil, identity: NodeIdentity? = nil,
        holding versions: [PinnedVersion]? = nil,
        limits: PeerLimits = .init(), bodies: BodyMemory = BodyMemory(), handler: @escaping Handler = { .success($0.payload) },
        _ body: (TestRegion) async throws -> Void
    ) async throws {
        let region = TestRegion(name: name, holding: try versions ?? [Fleet.version()], bodies: bodies, handler: handler)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let identity = try identity ?? fleet.identity(certificate ?? name)
        let application = PeerServer.application(
            address: .hostname("127.0.0.1", port: 0), identity: identity, services: region.services,
            limits: limits, logger: Fleet.logger, onServerRunning: { port.yield($0.localAddress?.port ?? 0) })
        var configuration = ServiceGroupConfiguration(
            services: [.init(service: application, successTerminationBehavior: .gracefullyShutdownGroup)], logger: Fleet.logger)
        configuration.maximumGracefulShutdownDuration = .seconds(5)
        let services = ServiceGroup(configuration: configuration)
        region.change { $0.shutDown = { await services.triggerGracefulShutdown() } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            for await number in ports {
                region.change { $0.port = number }
                break
            }
            let result: Result<Void, any Error>
            do { result = .success(try await body(region)) } catch { result = .failure(error) }
            // Clients have gone, but what they sent last may still be read; a server that is cancelled then traps in NIO.
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            try result.get()
        }
    }

    private var services: PeerServices {
        PeerServices(
            node: name, role: .region,
            heldVersion: { _, _, revision in
                self.change { $0.lookUpCount += 1 }
                return self.now.versions[revision]
            },
            hold: { version in
                self.change {
                    $0.versions[version.revision] = version
                    $0.holdCount += 1
                }
            },
            hasBundle: { self.now.bundles.contains($0) },
            addBundle: { bytes, digest throws(InvocationError) in
                guard bytes == Fleet.bundle else {
                    throw InvocationError(.codeUnavailable, "The bytes are not those of the digest.")
                }
                self.change {
                    $0.bundles.insert(digest)
                    $0.uploadCount += 1
                }
            },
            package: { digest throws(InvocationError) in
                guard self.now.bundles.contains(digest) else { throw InvocationError(.codeUnavailable, "There is no such package.") }
                return ByteBuffer(bytes: Fleet.bundle)
            },
            release: { identity in self.change { $0.versions[identity.revision] = nil } },
            invoke: { request throws(InvocationError) in
                self.change { $0.requests.append(request) }
                let outcome = try await self.handler(request)
                return self.result(outcome, of: request)
            },
            versionAtHand: { _, _, revision in self.now.isWarm ? self.now.versions[revision] : nil },
            begin: { request, completion in self.begin(request, completion) },
            isDraining: { self.now.isDraining }, load: { 0.25 }, reports: feed, bodies: bodies)
    }

    private func begin(
        _ request: InvocationRequest, _ completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) -> @Sendable () -> Void {
        change { $0.warmCount += 1 }
        if let told = now.warmHangs { return { told() } }
        completion(.success(result(.success(request.payload), of: request)))
        return {}
    }

    private func result(_ outcome: InvocationResult.Outcome, of request: InvocationRequest) -> InvocationResult {
        InvocationResult(
            outcome: outcome, log: InvocationLog(text: ByteBuffer(string: "START RequestId: \(request.id)\n"), droppedByteCount: 2),
            record: record(of: request))
    }

    private func record(of request: InvocationRequest) -> InvocationRecord {
        InvocationRecord(
            requestID: request.id, functionARN: request.function.arn, version: request.function.version,
            account: request.function.key.account, node: name, decision: .run, reason: .region, site: name, startLevel: .warm,
            arrivalEpochSeconds: 1_700_000_000, outcome: .success, endingParty: .function, memoryLimit: request.function.memory,
            requestByteCount: request.payload.readableBytes)
    }
}
