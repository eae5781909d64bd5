import EngineCore
import Foundation
import Frontend
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RegionForwarding
import Testing

/// A certificate authority of its own with the nodes of a test.
struct Fleet: Sendable {
    let directory: String

    /// Makes a fleet of `pop-1`, `pop-2`, `region-1` and `region-2`, and removes it at the end.
    static func with(_ body: (Fleet) async throws -> Void) async throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "wayside-fleet-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: url) }
        let authority = try CertificateAuthority.create(in: url.path)
        for node in ["pop-1", "pop-2", "region-1", "region-2"] { try authority.issue(node: node, hosts: ["127.0.0.1"]) }
        try await body(Fleet(directory: url.path))
    }

    func identity(_ node: String) throws -> NodeIdentity { try NodeIdentity(directory: directory, node: node) }

    /// What the nodes of a test have to say is not printed.
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Tests run many at a time on few cores, where a handshake may take longer than a region may.
    static let patient: ForwardingConfiguration = {
        var configuration = ForwardingConfiguration()
        configuration.connectTimeout = .seconds(20)
        configuration.probeTimeout = .seconds(20)
        return configuration
    }()

    static let bundle = Array("a zip".utf8)

    static func version(
        revision: String = "0b8a64c1-75b1-4b2e-9d2f-6a2f0c2f8f11", sandbox: SandboxPolicy = SandboxPolicy()
    ) throws -> PinnedVersion {
        guard let account = AccountID("123456789012"), let digest = ContentDigest(hex: String(repeating: "ab", count: 32)) else {
            throw CancellationError()
        }
        return PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .published(7), revision: revision,
            runtime: "python3.13", handler: "app.handler", memory: .mebibytes(128), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3), environment: [:], codeDigest: digest, codeSize: ByteCount(bundle.count),
            sandbox: sandbox)
    }

    static func request(
        _ payload: ByteBuffer = ByteBuffer(string: "{}"), of version: PinnedVersion? = nil, deadline: Duration = .seconds(30),
        origin: InvocationRequest.Origin = .client
    ) throws -> InvocationRequest {
        let version = try version ?? Self.version()
        let now = EngineInstant.now()
        return InvocationRequest(
            id: RequestID(), function: version, invokedARN: version.arn, payload: payload, clientContext: "{\"a\":1}",
            traceID: "Root=1-2-3", arrival: now, deadline: now + deadline, origin: origin)
    }

    /// A client of `node`'s to a region at `port`, closed at the end.
    func withClient(
        of node: String = "pop-1", identity: NodeIdentity? = nil, to region: String = "region-1", port: Int,
        configuration: ForwardingConfiguration = Fleet.patient,
        package: @escaping RegionClient.Package = { _ in ByteBuffer(bytes: Fleet.bundle) },
        _ body: (RegionClient) async throws -> Void
    ) async throws {
        let client = try RegionClient(
            peer: RegionPeer(name: region, url: "https://127.0.0.1:\(port)"), identity: try identity ?? self.identity(node),
            configuration: configuration,
            logger: Self.logger, package: package)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        try result.get()
    }
}

/// A client of `pop-1`'s before a region, both for as long as `body` runs.
func withForwarding(
    holding versions: [PinnedVersion]? = nil, limits: PeerLimits = .init(), configuration: ForwardingConfiguration = Fleet.patient,
    package: @escaping RegionClient.Package = { _ in ByteBuffer(bytes: Fleet.bundle) },
    handler: @escaping TestRegion.Handler = { .success($0.payload) }, _ body: (RegionClient, TestRegion) async throws -> Void
) async throws {
    try await Fleet.with { fleet in
        try await TestRegion.with(fleet, holding: versions, limits: limits, handler: handler) { region in
            try await fleet.withClient(port: region.now.port, configuration: configuration, package: package) { client in
                try await body(client, region)
            }
        }
    }
}

extension Fleet {
    /// Serves as `region-1` with a pipeline of the test's own above TLS, and calls it.
    func withServer(
        _ configure: @escaping @Sendable (any Channel) throws -> Void, _ body: (RegionClient) async throws -> Void
    ) async throws {
        try await withPort(of: configure) { port in try await withClient(port: port) { try await body($0) } }
    }

    /// Serves as `region-1` with a pipeline of the test's own above TLS.
    func withPort(
        of configure: @escaping @Sendable (any Channel) throws -> Void, _ body: (_ port: Int) async throws -> Void
    ) async throws {
        var configuration = try identity("region-1").serverConfiguration
        configuration.applicationProtocols = ["h2"]
        let tls = try NIOSSLContext(configuration: configuration)
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    try configure(channel)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await body(server.localAddress?.port ?? 0)
        try await server.close()
    }

    /// One call, which must have surely not started.
    func expectNotStarted(_ client: RegionClient) async {
        await #expect {
            try await client.forward(try Self.request(), reason: .uncommon)
        } throws: {
            let error = $0 as? InvocationError
            return error?.code == .overloaded && error?.surelyNotStarted == true
        }
    }
}

/// Something that happens once, to be waited for.
struct Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func fire() { continuation.finish() }

    /// Returns when it has happened or the waiting task is cancelled.
    func wait() async {
        for await _ in stream {}
    }
}
