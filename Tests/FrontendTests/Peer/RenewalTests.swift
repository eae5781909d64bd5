import EngineCore
import Foundation
import Frontend
import NIOCore
import RegionForwarding
import Synchronization
import Testing

/// Certificates, connections and regions that change while calls are under way.
@Suite(.timeLimit(.minutes(1))) struct RenewalTests {
    private func until(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func `a call under way ends on its connection while new ones use the new certificates`() async throws {
        let (begun, mayEnd) = (Signal(), Signal())
        let isFirst = Mutex(true)
        let handler: TestRegion.Handler = { request in
            if isFirst.withLock({ first in defer { first = false }; return first }) {
                begun.fire()
                await mayEnd.wait()
            }
            return .success(request.payload)
        }
        try await Fleet.with { fleet in
            let authority = try CertificateAuthority(directory: fleet.directory)
            let (mine, theirs) = (try fleet.identity("pop-1"), try fleet.identity("region-1"))
            try await TestRegion.with(fleet, identity: theirs, handler: handler) { region in
                try await fleet.withClient(identity: mine, port: region.now.port) { client in
                    async let first = client.forward(try Fleet.request(ByteBuffer(string: "1")), reason: .uncommon)
                    await begun.wait()
                    let old = try #require(client.certificate)
                    for node in ["pop-1", "region-1"] { try authority.issue(node: node, hosts: ["127.0.0.1"], replacing: true) }
                    #expect(try mine.reload() && theirs.reload())
                    let second = try await client.forward(try Fleet.request(ByteBuffer(string: "2")), reason: .uncommon)
                    #expect(second.result.outcome.payload == ByteBuffer(string: "2"))
                    #expect(client.certificate?.serial == theirs.certificate.serial && old.serial != theirs.certificate.serial)
                    mayEnd.fire()
                    #expect(try await first.result.outcome.payload == ByteBuffer(string: "1"))
                }
            }
        }
    }

    @Test func `PLACE-15 a region that is removed gets no new call and ends those it has, and an added one is used`() async throws {
        let (begun, mayEnd) = (Signal(), Signal())
        let handler: TestRegion.Handler = { request in
            begun.fire()
            await mayEnd.wait()
            return .success(request.payload)
        }
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, handler: handler) { old in
                try await TestRegion.with(fleet, name: "region-2") { new in
                    let peers = [("region-1", old), ("region-2", new)].map {
                        RegionPeer(name: $0, url: "https://127.0.0.1:\($1.now.port)")
                    }
                    let directory = try RegionDirectory(
                        peers: [peers[0]], identity: try fleet.identity("pop-1"), configuration: Fleet.patient, logger: Fleet.logger,
                        package: { _ in ByteBuffer(bytes: Fleet.bundle) })
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await directory.run() }
                        let client = try #require(directory.client("region-1"))
                        async let call = client.forward(try Fleet.request(), reason: .uncommon)
                        await begun.wait()
                        #expect(throws: ForwardingError.self) { try directory.update([peers[1], peers[1]]) }
                        #expect(throws: ForwardingError.self) { try directory.update([RegionPeer(name: "region-2", url: "x")]) }
                        #expect(directory.names == ["region-1"])
                        let change = try directory.update([peers[1]])
                        #expect(change.added == ["region-2"] && change.removed == ["region-1"] && change.moved.isEmpty)
                        #expect(directory.client("region-1") == nil)
                        #expect(directory.choose(for: try Fleet.version()).region == "region-2")
                        let added = try #require(directory.client("region-2"))
                        _ = try await added.forward(try Fleet.request(), reason: .uncommon)
                        mayEnd.fire()
                        _ = try await call
                        #expect(try directory.update([peers[1]]).isEmpty && directory.client("region-2") === added)
                        let moved = RegionPeer(name: "region-2", url: peers[0].url)
                        #expect(try directory.update([moved]).moved == ["region-2"])
                        group.cancelAll()
                    }
                }
            }
        }
    }

    @Test func `PLACE-15 a POP that may know of more accounts with a new certificate is told what it was not told before`() async throws {
        var configuration = Fleet.patient
        configuration.probeInterval = .milliseconds(50)
        configuration.backoffMin = .milliseconds(20)
        let version = try Fleet.version()
        try await Fleet.with { fleet in
            let authority = try CertificateAuthority(directory: fleet.directory)
            try authority.issue(node: "pop-1", hosts: ["127.0.0.1"], forwarding: .none, replacing: true)
            let identity = try fleet.identity("pop-1")
            try await TestRegion.with(fleet) { region in
                region.tellHeld()
                let peer = RegionPeer(name: "region-1", url: "https://127.0.0.1:\(region.now.port)")
                let directory = try RegionDirectory(
                    peers: [peer], identity: identity, configuration: configuration, logger: Fleet.logger,
                    package: { _ in ByteBuffer(bytes: Fleet.bundle) })
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await directory.run() }
                    try await until { directory.states().first?.isReportFresh == true }
                    #expect(directory.holders(revision: version.revision).isEmpty)
                    try authority.issue(node: "pop-1", hosts: ["127.0.0.1"], forwarding: .all, replacing: true)
                    #expect(try identity.reload())
                    try await until { directory.holders(revision: version.revision) == ["region-1"] }
                    group.cancelAll()
                }
            }
        }
    }

    @Test func `connections that have come of age are made anew, and no call notices`() async throws {
        var configuration = Fleet.patient
        configuration.connectionAgeMax = .zero
        try await withForwarding(configuration: configuration) { client, region in
            for number in 1...8 {
                let answer = try await client.forward(try Fleet.request(ByteBuffer(integer: number)), reason: .uncommon)
                #expect(answer.result.outcome.payload == ByteBuffer(integer: number))
            }
            #expect(region.now.requests.count == 8)
        }
    }
}
