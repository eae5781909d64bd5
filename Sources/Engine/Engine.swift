public import Logging
internal import CapacityPools
internal import ContentDistribution
internal import EngineCore
internal import Foundation
internal import Frontend
internal import FunctionCatalog
internal import Hummingbird
internal import InvocationRouting
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Placement
internal import RegionForwarding
internal import Sandboxing
internal import ServiceLifecycle
internal import Synchronization
internal import SystemPackage
internal import Telemetry

/// One node: configuration in, one group of services out. Nothing else in the program knows all the parts.
///
/// The group starts from the inside out and, at SIGTERM or SIGINT, stops from the outside in: new calls are refused, those under
/// way finish (bounded by `drain.timeoutSeconds`), the listeners close, then regions, pool and sandboxes go.
public struct Engine: Sendable {
    /// Packages unpacked, stored or read at once. Beyond, they wait.
    static let packageThreadsMax = 2

    /// How long the parts may take to stop once the calls are answered. Then they are cancelled.
    static let stopMax = Duration.seconds(10)

    /// How long peers may take to close their connections then.
    static let peersGrace = Duration.seconds(2)

    /// For how much longer than it uses connections itself this node lets peers have theirs: their last calls end meanwhile.
    static let connectionGrace = Duration.seconds(1000)

    let configuration: EngineConfiguration
    let logger: Logger

    public init(configuration: EngineConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs the node until it is told to end.
    /// - Throws: what keeps it from starting: the data folder in use, a file that cannot be read, an address that is taken.
    public func run() async throws {
        let folder = try DataFolder(path: configuration.data)
        defer { folder.close() }
        let relay = EventRelay()
        let catalog = try Catalog(
            directory: configuration.data.string,
            onSuperseded: { versions in
                for version in versions { relay.pool?.retire(version) }
                relay.superseded(versions)
            }, onCapacityChanged: { targets in relay.pool?.dedicate(targets) },
            onPermissionsChanged: { permissions in relay.pool?.permissionsChanged(permissions) })
        for account in catalog.damagedPermissions {
            logger.error(
                "a permission in the catalog cannot be read; the account gets nothing more until it is set anew (wayside account set)",
                metadata: ["account": "\(account)"])
        }
        let bundles = try BundleStore(
            contentDirectory: folder.content, limits: ExtractionLimits(unzippedBytes: configuration.unzippedMax))
        let eventLoops = MultiThreadedEventLoopGroup.singleton
        // Unpacking takes seconds of a processor: it must not stand before the short look-ups of other calls.
        let packageThreads = NIOThreadPool(numberOfThreads: Self.packageThreadsMax)
        packageThreads.start()
        defer { packageThreads.shutdownGracefully { _ in } }
        let seen = SeenBundles(bundles)
        let egressLog = EgressLog(logger: logger)
        let egress = ProxiedEgress(limits: configuration.egress) { egressLog.add($0) }
        let host = try SandboxHost(
            configuration: configuration.sandbox, eventLoopGroup: eventLoops, logger: logger, egress: egress,
            onEvent: { relay.pool?.handle($0) })
        // Those whose program is missing are left out, with a warning of the host's; a name that is none is a slip.
        let names = host.manifests.map(\.name) + host.missingRuntimes
        for name in configuration.capacity.warming.map(\.runtime) where !names.contains(name) {
            throw ConfigurationError("capacity.warming names the runtime '\(name)'; there are \(names.joined(separator: ", "))")
        }
        let sizing = SizingHistoryFile(path: configuration.data.appending("sizing.json"), logger: logger)
        let pool = try configuration.capacity.pool(
            host: host, history: sizing.read(),
            surroundings: ContainerPool.Surroundings(
                bundleHere: { bundles.contains($0.codeDigest) ? bundles.relativeBundlePath($0.codeDigest) : nil },
                bundle: Self.bundlePath(bundles, seen), permission: { catalog.permission(of: $0) },
                concurrencyMax: { catalog.reservedConcurrency(of: $0) }), weighsCalls: configuration.weighsCalls, logger: logger)
        relay.pool = pool
        pool.awaitAdoption()
        pool.dedicate(catalog.provisioned())
        let affinity = ParkedAffinity(path: configuration.data.appending("affinity.json"), logger: logger)
        let parkedRows = affinity.take()
        let identity = try identity()
        let regions = try regions(identity, bundles, packageThreads)
        let site = try site(identity, bundles, packageThreads)
        let records = RecordStore(
            countMax: configuration.recordsMax, logBytesMax: configuration.recordLogsMax, arrivalsMax: configuration.arrivalsMax)
        let stale = StaleVersions(catalog: catalog) { bundles.contains($0) }
        let replicator = replicator(regions, catalog, bundles, packageThreads)
        relay.onSuperseded = { versions in
            stale.superseded(versions)
            replicator?.superseded(versions)
        }
        let router = InvocationRouter(
            node: configuration.nodeName, role: configuration.role, policy: PlacementPolicy(configuration: configuration.placement),
            pool: pool, regions: regions, site: site, hedging: configuration.peers?.hedging,
            code: Self.codePresence(seen, replicator, stale), records: records, logger: logger)
        let sweeper = BundleSweeper(pool: pool, interval: configuration.sweepInterval) { stale.digests }
        let parts = Parts(
            catalog: catalog, bundles: bundles, seen: seen, host: host, pool: pool, router: router, records: records, sweeper: sweeper,
            packageThreads: packageThreads, regions: regions, reports: reports(pool, router), replicator: replicator, stale: stale,
            bodies: BodyMemory(bytesMax: configuration.bodiesMax))
        if let feed = parts.reports { try Self.tellHeld(catalog, bundles, feed) }
        let lambda = try lambdaServer(parts)

        let adoption = Adoption(host: host, logger: logger) {
            await pool.adopt(parkedRows) { Self.version($0, $1, revision: $2, catalog) }
        }
        var services: [any Service] = [
            UntilShutdown("sandboxes") { try await host.run() },
            UntilShutdown("pool") { await pool.run() },
            UntilShutdown("calls") { await router.run() },
            UntilShutdown("sizing") {
                await sizing.keep { pool.sizingHistory }
                sizing.write(pool.sizingHistory)
            },
            adoption,
            UntilShutdown("catalog") { await Self.notice(catalog, logger) },
            UntilShutdown("bundles") { await sweeper.run { lambda.removeUnreferencedBundles($0) } },
        ]
        if let regions { services.append(UntilShutdown("regions") { await regions.run() }) }
        if let replicator { services.append(UntilShutdown("replication") { await replicator.run() }) }
        if let feed = parts.reports {
            services.append(UntilShutdown("held versions") { await releaseUnused(catalog, feed, sweeper) })
        }
        if let site { services.append(UntilShutdown("site") { await site.directory.run() }) }
        services.append(Reload(configuration: configuration, identity: identity, regions: regions, logger: logger))
        services.append(operatorServer(parts))
        if let identity, let listen = configuration.peers?.listen {
            let server = peerServer(listen, identity, parts)
            services.append(Listening(key: "peers.listen", address: listen, server: server, adoption: adoption))
        }
        services.append(Listening(key: "api.listen", address: configuration.apiListen, server: lambda, adoption: adoption))
        let shutdown = Shutdown()
        services.append(
            Drain(
                router: router, pool: pool, timeout: configuration.drainTimeout, parkTime: configuration.parkTime, affinity: affinity,
                isInterrupted: { shutdown.isInterrupted }, onDrain: { parts.reports?.conditionChanged() }, logger: logger))
        var group = ServiceGroupConfiguration(services: services.map { .init(service: $0) }, logger: logger)
        group.maximumGracefulShutdownDuration = configuration.drainTimeout + Drain.cutOffMax + Self.stopMax
        try await shutdown.run(ServiceGroup(configuration: group))
    }
}

// MARK: - The parts

extension Engine {
    /// What the servers stand before.
    private struct Parts {
        let catalog: Catalog
        let bundles: BundleStore
        let seen: SeenBundles
        let host: SandboxHost
        let pool: ContainerPool
        let router: InvocationRouter
        let records: RecordStore
        let sweeper: BundleSweeper
        let packageThreads: NIOThreadPool
        let regions: RegionDirectory?
        let reports: ReportFeed?
        let replicator: Replicator?
        let stale: StaleVersions
        let bodies: BodyMemory
    }

    /// What this node tells the peers that forward to it; `nil` when none can.
    private func reports(_ pool: ContainerPool, _ router: InvocationRouter) -> ReportFeed? {
        guard configuration.peers?.listen != nil else { return nil }
        let memory = configuration.capacity.pool.memory
        return ReportFeed(node: configuration.nodeName, idleContainers: { pool.hasWarm($0) ? 1 : 0 }) {
            let counts = pool.counts
            return ReportFeed.Condition(
                load: Self.load(counts, memory), isSaturated: counts.waiting > 0 && counts.idle == 0 && counts.starting == 0,
                isDraining: router.isDraining)
        }
    }

    /// The share of the memory that containers hold which are not idle; those can give way.
    private static func load(_ counts: PoolCounts, _ memory: ByteCount) -> Double {
        guard counts.containers > 0, memory > .zero else { return 0 }
        let busy = Double(counts.busy + counts.starting) / Double(counts.containers)
        return min(1, busy * Double(counts.memoryHeld.bytes) / Double(memory.bytes))
    }

    private func identity() throws -> NodeIdentity? {
        guard let peers = configuration.peers else { return nil }
        let identity = try NodeIdentity(
            certificate: peers.certificate.certificate.string, privateKey: peers.certificate.key.string, authority: peers.authority.string)
        guard identity.name == configuration.nodeName else {
            throw ConfigurationError("peers.certificate is of node \(identity.name), and node.name is \(configuration.nodeName)")
        }
        return identity
    }

    private func regions(_ identity: NodeIdentity?, _ bundles: BundleStore, _ threads: NIOThreadPool) throws -> RegionDirectory? {
        guard let peers = configuration.peers, let identity else { return nil }
        return try directory(peers.regions, peers, identity, bundles, threads)
    }

    private func directory(
        _ nodes: [EngineConfiguration.Region], _ peers: EngineConfiguration.Peers, _ identity: NodeIdentity, _ bundles: BundleStore,
        _ threads: NIOThreadPool
    ) throws -> RegionDirectory {
        var forwarding = ForwardingConfiguration()
        forwarding.probeInterval = peers.probeInterval
        forwarding.connectionAgeMax = peers.connectionAgeMax
        forwarding.silenceMax = peers.silenceMax
        forwarding.connectionsMax = peers.connectionsMax
        forwarding.streamsPerConnection = peers.callsPerConnectionMax
        forwarding.hopsMax = configuration.placement.hopLimit
        forwarding.chooser = RegionChooser(
            rule: configuration.regionRule, stalenessMax: peers.reportStaleness.inSeconds,
            keepAlive: configuration.capacity.pool.keepAlive.inSeconds)
        return try RegionDirectory(
            peers: nodes.map { RegionPeer(name: $0.name, url: $0.url) }, identity: identity, configuration: forwarding, logger: logger
        ) { (digest) async throws(InvocationError) in
            try await Self.blocking(.codeUnavailable, on: threads) { ByteBuffer(bytes: try bundles.package(digest)) }
        }
    }

    /// The other frontends of this site, which hold containers that calls of this one may want.
    private func site(_ identity: NodeIdentity?, _ bundles: BundleStore, _ threads: NIOThreadPool) throws -> Site? {
        guard let peers = configuration.peers, let identity, !peers.site.isEmpty else { return nil }
        return Site(node: configuration.nodeName, directory: try directory(peers.site, peers, identity, bundles, threads))
    }

    private func peerServer(
        _ listen: EngineConfiguration.Listener, _ identity: NodeIdentity, _ parts: Parts
    ) -> any Service {
        let (catalog, bundles, pool, router, sweeper) = (parts.catalog, parts.bundles, parts.pool, parts.router, parts.sweeper)
        let seen = parts.seen
        let threads = parts.packageThreads
        var limits = PeerLimits()
        limits.hopsMax = configuration.placement.hopLimit
        // When the servers end, the calls have: what is left are connections whose other end says nothing.
        limits.drainTimeout = Self.peersGrace
        if let peers = configuration.peers {
            limits.connectionAgeMax = peers.connectionAgeMax + Self.connectionGrace
            limits.silenceMax = peers.silenceMax
            limits.streamsPerConnection = peers.callsPerConnectionMax
        }
        let memory = configuration.capacity.pool.memory
        return PeerServer.application(
            address: .hostname(listen.host, port: listen.port), identity: identity,
            services: PeerServices(
                node: configuration.nodeName, role: configuration.role == .region ? .region : .pop,
                heldVersion: { (key, version, revision) async throws(InvocationError) in
                    try await Self.blocking(.internalFailure) {
                        let held = try catalog.held(key, version, revision: revision)
                        // One function that is deployed on each frontend of a site is one class of containers here.
                        if let held, let own = try? catalog.pinned(key, version), own.isAlike(held) { return own }
                        return held
                    }
                },
                hold: { (version) async throws(InvocationError) in
                    sweeper.remove(try await Self.blocking(.internalFailure) { try catalog.hold(version) })
                },
                hasBundle: { bundles.contains($0) },
                addBundle: { (package, digest) async throws(InvocationError) in
                    _ = try await Self.blocking(.codeUnavailable, on: threads) { try bundles.add(package, expecting: digest) }
                },
                package: { (digest) async throws(InvocationError) in
                    try await Self.blocking(.codeUnavailable, on: threads) { ByteBuffer(bytes: try bundles.package(digest)) }
                },
                release: { (identity) async throws(InvocationError) in
                    sweeper.remove(
                        try await Self.blocking(.internalFailure) {
                            try catalog.release(identity.function, identity.version, revision: identity.revision)
                        })
                },
                invoke: { (request) async throws(InvocationError) in try await router.invoke(request) },
                versionAtHand: { key, version, revision in
                    guard let held = catalog.heldInMemory(key, version, revision: revision), seen.contains(held.codeDigest) else {
                        return nil
                    }
                    let own = try? catalog.pinned(key, version)
                    return own.flatMap { $0.isAlike(held) ? $0 : nil } ?? held
                },
                begin: { request, completion in router.begin(request, completion: completion) },
                isDraining: { router.isDraining }, load: { Self.load(pool.counts, memory) },
                reports: parts.reports, bodies: parts.bodies),
            limits: limits, logger: logger)
    }

    private func lambdaServer(_ parts: Parts) throws -> LambdaServer {
        let (pool, router, sweeper) = (parts.pool, parts.router, parts.sweeper)
        let (stale, replicator, regions) = (parts.stale, parts.replicator, parts.regions)
        var replicate: (@Sendable ([PinnedVersion]) async throws(InvocationError) -> Void)?
        if let replicator, configuration.replication.breadth > 0 {
            replicate = { (versions) async throws(InvocationError) in try await replicator.replicate(versions) }
        }
        let runtimes = parts.host.manifests.flatMap { manifest in
            manifest.identifiers.map { KnownRuntime(identifier: $0, needsHandler: manifest.kind != .execLate) }
        }
        let host = parts.host
        let tokens = AffinityTokens(
            key: try AffinityKeyFile.load(configuration.affinityKey), node: configuration.nodeName,
            generation: { host.launcherGeneration }, lifetimeSeconds: Int(configuration.affinityTokenLifetime.components.seconds))
        let tls = try configuration.apiCertificate.map { files in
            TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate.string).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key.string, format: .pem)))
        }
        var limits = LambdaLimits()
        limits.streamedBytes = configuration.streamedMax
        limits.connections = configuration.apiConnectionsMax
        return LambdaServer(
            configuration: LambdaServerConfiguration(
                address: .hostname(configuration.apiListen.host, port: configuration.apiListen.port), tls: tls,
                clockSkewSeconds: Int64(configuration.clockSkewSeconds), regions: Set(configuration.apiRegions),
                startAllowance: configuration.startAllowance, publicURL: configuration.publicURL, limits: limits),
            services: LambdaServices(
                catalog: parts.catalog, bundles: parts.bundles, runtimes: runtimes,
                invoke: { (request) async throws(InvocationError) in try await router.invoke(request) },
                begin: { request, completion in router.begin(request, completion: completion) },
                functionChanged: { change in
                    for version in change.superseded { pool.retire(version) }
                    stale.superseded(change.superseded)
                    replicator?.superseded(change.superseded)
                    sweeper.remove(change.unreferenced)
                }, replicate: replicate, abandoned: { replicator?.abandoned($0) },
                holders: { version in regions?.holders(revision: version.revision) ?? [] },
                provisionedStatus: { ProvisionedStatus($0, $1, pool) }, threadPool: parts.packageThreads, affinityTokens: tokens,
                bodies: parts.bodies),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    private func operatorServer(_ parts: Parts) -> any Service {
        let (configuration, pool, router, records, bodies) = (configuration, parts.pool, parts.router, parts.records, parts.bodies)
        return OperatorServer(
            socketPath: configuration.operatorSocket.string,
            services: OperatorServices(
                record: { records.entry($0) },
                newest: { limit, filter in records.newest(limit) { filter.includes($0) } },
                pools: { pool.report() },
                status: {
                    NodeStatus(
                        node: configuration.nodeName, role: configuration.role.rawValue, draining: router.isDraining,
                        underWay: router.underWayCount, bodyBytesHeld: bodies.bytesHeld.bytes, brokenInvariant: pool.brokenInvariant(),
                        brokenInvariants: pool.brokenInvariants.count)
                }, sandbox: SandboxServices(parts.catalog, parts.host, bundle: Self.bundlePath(parts.bundles, parts.seen)),
                capacity: CapacityServices(parts.catalog, pool),
                regions: parts.regions, arrivals: ArrivalServices(records)),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    /// The version of this revision, if it is still held here. Blocking.
    private static func version(
        _ key: FunctionKey, _ version: FunctionVersion, revision: String, _ catalog: Catalog
    ) -> PinnedVersion? {
        if let own = try? catalog.pinned(key, version), own.revision == revision { return own }
        return try? catalog.held(key, version, revision: revision)
    }

    /// Looks for what other processes change in the catalog, until cancelled.
    private static func notice(_ catalog: Catalog, _ logger: Logger) async {
        while (try? await Task.sleep(for: Catalog.changeInterval)) != nil {
            do throws(InvocationError) {
                try await blocking(.internalFailure) { try catalog.noticeChanges() }
            } catch {
                logger.warning("changes in the catalog cannot be looked for", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Where a version's unpacked bundle is, relative to the content folder. It is unpacked again if only its package is there.
    private static func bundlePath(
        _ bundles: BundleStore, _ seen: SeenBundles
    ) -> @Sendable (PinnedVersion) async throws(InvocationError) -> String {
        { (version) async throws(InvocationError) in
            if !bundles.contains(version.codeDigest) {
                do throws(InvocationError) {
                    try await blocking(.codeUnavailable) { try bundles.restore(version.codeDigest) }
                } catch {
                    seen.forget(version.codeDigest)
                    throw InvocationError(.codeUnavailable, "The code of \(version.arn) is not on this node. Deploy it again.")
                }
            }
            return bundles.relativeBundlePath(version.codeDigest)
        }
    }

    /// Runs what blocks off the event loops.
    static func blocking<Value: Sendable>(
        _ code: InvocationError.Code, on threads: NIOThreadPool = .singleton, _ body: @escaping @Sendable () throws -> Value
    ) async throws(InvocationError) -> Value {
        do {
            return try await threads.runIfActive(body)
        } catch {
            throw InvocationError(code, "\(error)")
        }
    }
}
