import EngineCore
import NIOCore
import RegionForwarding
import Testing

/// Who of a site gets a sticky call, as far as this node knows who can be reached.
@Suite(.timeLimit(.minutes(2))) struct SiteTests {
    private func request(_ demand: AffinityDemand?, origin: InvocationRequest.Origin = .client) throws -> InvocationRequest {
        var request = try Fleet.request(origin: origin)
        request.affinity = demand
        return request
    }

    private func withSite(_ body: (Site) throws -> Void) async throws {
        try await Fleet.with { fleet in
            let directory = try RegionDirectory(
                peers: [
                    RegionPeer(name: "pop-2", url: "https://127.0.0.1:1"), RegionPeer(name: "pop-3", url: "https://127.0.0.1:2"),
                ], identity: try fleet.identity("pop-1"), logger: Fleet.logger
            ) { _ throws(InvocationError) in ByteBuffer() }
            let result: Result<Void, any Error> = Result { try body(Site(node: "pop-1", directory: directory)) }
            await directory.shutdown()
            try result.get()
        }
    }

    @Test func `STICK-19 a value belongs to one node of the site, and to its next when that one has refused`() async throws {
        try await withSite { site in
            var owners: Set<String> = []
            for number in 0..<100 {
                let request = try request(AffinityDemand(value: "\(number)", source: .header))
                let key = SiteRing.Key(function: request.function.key, version: request.function.version, value: "\(number)")
                let order = site.ring.order(of: key)
                let owner = site.owner(of: request, excluding: [], now: .now())?.name ?? "pop-1"
                #expect(owner == order[0])
                let next = site.owner(of: request, excluding: [owner], now: .now())?.name ?? "pop-1"
                #expect(owner == "pop-1" || next == order[1])
                #expect(site.owner(of: request, excluding: ["pop-2", "pop-3"], now: .now()) == nil)
                owners.insert(owner)
            }
            #expect(owners == ["pop-1", "pop-2", "pop-3"])
        }
    }

    @Test func `STICK-10 a token leads to the node that has its container, whatever the value's node`() async throws {
        try await withSite { site in
            for value in ["a", "b", "c", "d", "e", nil] {
                func owner(_ node: String?) throws -> String? {
                    site.owner(
                        of: try request(AffinityDemand(value: value, container: 1, node: node, source: .token)), excluding: [], now: .now()
                    )?.name
                }
                let (here, there) = (try owner("pop-1"), try owner("pop-3"))
                #expect(here == nil)
                #expect(there == "pop-3")
            }
            let unknown = try request(AffinityDemand(value: nil, container: 1, node: "region-1", source: .token))
            #expect(site.owner(of: unknown, excluding: [], now: .now()) == nil)
        }
    }

    @Test func `STICK-05 calls that are not sticky, and those of peers, stay where they are`() async throws {
        try await withSite { site in
            for value in (0..<20).map(String.init) {
                let peers = try request(AffinityDemand(value: value, source: .header), origin: .peer(node: "pop-2", hops: 1))
                #expect(site.owner(of: peers, excluding: [], now: .now()) == nil)
            }
            let plain = try request(nil)
            #expect(site.owner(of: plain, excluding: [], now: .now()) == nil)
        }
    }
}
