import EngineCore
import Frontend
import NIOCore
import RegionForwarding
import Synchronization
import Testing

/// Versions and packages between a real replicator and real servers, with certificates, on the loopback.
@Suite(.timeLimit(.minutes(1))) struct ReplicationTests {
    /// A replicator of `pop-1` whose node has `versions` and their code unless told otherwise.
    private func with(
        _ fleet: Fleet, _ regions: [TestRegion], configuration: ReplicationConfiguration, versions: [PinnedVersion] = [],
        isCurrent: (@Sendable (PinnedVersion) -> Bool)? = nil, keep: (@Sendable ([UInt8], ContentDigest) -> Void)? = nil,
        _ body: (Replicator, RegionDirectory) async throws -> Void
    ) async throws {
        let directory = try RegionDirectory(
            peers: regions.map { RegionPeer(name: $0.name, url: "https://127.0.0.1:\($0.now.port)") },
            identity: try fleet.identity("pop-1"), configuration: Fleet.patient, logger: Fleet.logger
        ) { _ in ByteBuffer(bytes: Fleet.bundle) }
        let replicator = Replicator(
            regions: directory, configuration: configuration,
            store: Replicator.Store(
                versions: { versions.filter { isCurrent?($0) ?? true } },
                isCurrent: isCurrent ?? { version in versions.contains { $0.revision == version.revision } },
                hasCode: { _ in keep == nil },
                restore: { _ throws(InvocationError) in throw InvocationError(.codeUnavailable, "There is no package here.") },
                keep: { bytes, digest in keep?(bytes, digest) }), logger: Fleet.logger)
        let result: Result<Void, any Error>
        do { result = .success(try await body(replicator, directory)) } catch { result = .failure(error) }
        await directory.shutdown()
        try result.get()
    }

    /// Handshakes take long where many tests run on few cores.
    private func configuration(_ breadth: Int, timeout: Duration = .seconds(40)) -> ReplicationConfiguration {
        var configuration = ReplicationConfiguration()
        configuration.breadth = breadth
        configuration.timeout = timeout
        return configuration
    }

    @Test func `PLACE-02 versions are with the regions when replication returns, their package once`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, name: "region-1", holding: []) { first in
                try await TestRegion.with(fleet, name: "region-2", holding: []) { second in
                    try await with(fleet, [first, second], configuration: configuration(2)) { replicator, directory in
                        let versions = [try Fleet.version(revision: "new-1"), try Fleet.version(revision: "new-2")]
                        try await replicator.replicate(versions)
                        for region in [first, second] {
                            #expect(Set(region.now.versions.keys) == ["new-1", "new-2"])
                            #expect(region.now.uploadCount == 1)
                        }
                        #expect(directory.holders(revision: "new-2") == ["region-1", "region-2"])
                        try await replicator.replicate(versions)
                        #expect(first.now.holdCount == 2, "what is known to be held is not sent again")
                    }
                }
            }
        }
    }

    @Test func `PLACE-02 a region that does not take the package keeps a change from being made, and is named`() async throws {
        try await Fleet.with { fleet in
            var limits = PeerLimits()
            limits.bundlesMax = 0
            try await TestRegion.with(fleet, name: "region-1", holding: [], limits: limits) { full in
                try await TestRegion.with(fleet, name: "region-2", holding: []) { other in
                    try await with(fleet, [full, other], configuration: configuration(2, timeout: .seconds(2))) { replicator, _ in
                        await #expect {
                            try await replicator.replicate([try Fleet.version(revision: "new")])
                        } throws: { error in
                            let error = error as? InvocationError
                            return error?.code == .codeNotCurrent && error?.message.contains("region-1") == true
                        }
                        #expect(full.now.versions.isEmpty)
                    }
                }
            }
        }
    }

    @Test func `PLACE-09 code that is wanted is fetched once from a region that holds the version`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, name: "region-1", holding: []) { without in
                try await TestRegion.with(fleet, name: "region-2") { holder in
                    let (kept, keep) = AsyncStream<[UInt8]>.makeStream()
                    try await with(
                        fleet, [without, holder], configuration: configuration(0), keep: { bytes, _ in keep.yield(bytes) }
                    ) { replicator, _ in
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            for _ in 0..<50 { replicator.want(try Fleet.version()) }
                            group.addTask { await replicator.run() }
                            var packages = kept.makeAsyncIterator()
                            #expect(await packages.next() == Fleet.bundle)
                            group.cancelAll()
                        }
                        // The replicator has ended, so whatever it fetched is told.
                        keep.finish()
                        var further = 0
                        for await _ in kept { further += 1 }
                        #expect(further == 0)
                    }
                }
            }
        }
    }

    private func until(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(10)) }
    }

    @Test func `PLACE-02 what regions took for a change that was not made is released, and what is current is not`() async throws {
        var configuration = configuration(1)
        configuration.quiet = .milliseconds(100)
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, holding: []) { region in
                let (kept, lost) = (try Fleet.version(revision: "kept"), try Fleet.version(revision: "lost"))
                try await with(fleet, [region], configuration: configuration, versions: [kept]) { replicator, _ in
                    try await replicator.replicate([kept, lost])
                    #expect(region.now.versions.count == 2)
                    replicator.abandoned([kept, lost])
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await replicator.run() }
                        try await until { region.now.versions["lost"] == nil }
                        group.cancelAll()
                    }
                    #expect(region.now.versions["kept"] != nil)
                }
            }
        }
    }

    @Test func `PLACE-02 a version that is superseded while it is brought is released`() async throws {
        var configuration = configuration(1)
        configuration.quiet = .milliseconds(100)
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, holding: []) { region in
                // It is current until the region has taken it.
                try await with(
                    fleet, [region], configuration: configuration, versions: [try Fleet.version(revision: "old")],
                    isCurrent: { _ in region.now.holdCount == 0 }
                ) { replicator, directory in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await directory.run() }
                        group.addTask { await replicator.run() }
                        try await until { region.now.holdCount == 1 }
                        try await until { region.now.versions.isEmpty }
                        group.cancelAll()
                    }
                    #expect(region.now.holdCount == 1)
                }
            }
        }
    }

    @Test func `PLACE-02 a superseded version that calls still come for is released once they have ended`() async throws {
        var configuration = configuration(1)
        configuration.quiet = .seconds(3)
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let version = try Fleet.version()
                try await with(fleet, [region], configuration: configuration) { replicator, _ in
                    try await fleet.withClient(port: region.now.port) { client in
                        _ = try await client.forward(try Fleet.request(), reason: .uncommon)
                        try await replicator.replicate([version])
                        replicator.superseded([version])
                        // The region has been called less than the three seconds ago when it is asked first.
                        _ = try await client.forward(try Fleet.request(), reason: .uncommon)
                    }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await replicator.run() }
                        try await until { region.now.versions.isEmpty }
                        group.cancelAll()
                    }
                }
            }
        }
    }

    private func fields(_ version: PinnedVersion, _ more: [(String, String)] = []) -> [(String, String)] {
        [
            ("wayside-protocol", ForwardWire.protocolVersion), ("wayside-origin", "pop-1"),
            ("wayside-account", version.key.account.description), ("wayside-function-region", version.key.region),
            ("wayside-function-name", version.key.name), ("wayside-version", version.version.description),
            ("wayside-revision", version.revision),
        ] + more
    }

    @Test func `a package is given only to a node that names the version it belongs to`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let version = try Fleet.version()
                let path = "\(ForwardWire.bundlesPath)/\(version.codeDigest)"
                let other = "\(ForwardWire.bundlesPath)/\(String(repeating: "cd", count: 32))"
                let tls = try fleet.identity("pop-1").clientConfiguration
                for (path, version, status) in [
                    (path, version, 200), (other, version, 404), (path, try Fleet.version(revision: "another"), 404),
                ] {
                    let answer = try await PeerRefusalTests.send(
                        .init(path: path, fields: fields(version)), port: region.now.port, tls: tls)
                    #expect(answer.status == status)
                }
                let unnamed = try await PeerRefusalTests.send(.init(path: path), port: region.now.port, tls: tls)
                #expect((unnamed.status, unnamed.code) == (400, "invalid_request"))
            }
        }
    }

    @Test func `PLACE-02 a released version is dropped unless a call of it came lately`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let version = try Fleet.version()
                let tls = try fleet.identity("pop-1").clientConfiguration
                func release(quiet: String) async throws -> Int {
                    let probe = PeerRefusalTests.Probe(
                        method: "DELETE", path: ForwardWire.versionsPath, fields: fields(version, [("wayside-quiet-ms", quiet)]))
                    return try await PeerRefusalTests.send(probe, port: region.now.port, tls: tls).status
                }
                try await fleet.withClient(port: region.now.port) { client in
                    _ = try await client.forward(try Fleet.request(), reason: .uncommon)
                }
                #expect(try await release(quiet: "600000") == 200)
                #expect(region.now.versions[version.revision] != nil)
                #expect(try await release(quiet: "0") == 204)
                #expect(region.now.versions[version.revision] == nil)
                #expect(try await release(quiet: "600000") == 200, "the call is remembered for longer than the version")
            }
        }
    }
}
