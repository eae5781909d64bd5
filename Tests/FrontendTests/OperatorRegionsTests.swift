import EngineCore
import Foundation
import Frontend
import NIOCore
import RegionForwarding
import Telemetry
import Testing

/// What the operator is told of regions: by a real socket, of a directory whose regions nobody has started.
@Suite(.timeLimit(.minutes(1))) struct OperatorRegionsTests {
    private func with(
        _ directory: RegionDirectory?, _ body: (_ get: (String) async throws -> (status: UInt, text: String)) async throws -> Void
    ) async throws {
        let services = OperatorServices(
            record: { _ in nil }, newest: { _, _ in [] }, pools: { ["idle": 0] }, status: { ["node": "pop-1"] }, regions: directory)
        try await OperatorSocket.with(services) { try await body($0.get) }
    }

    @Test func `regions are listed with their state, and one is shown with its versions`() async throws {
        try await Fleet.with { fleet in
            let directory = try RegionDirectory(
                peers: ["region-1", "region-2"].map { RegionPeer(name: $0, url: "https://127.0.0.1:9443") },
                identity: try fleet.identity("pop-1"), logger: Fleet.logger, package: { _ in ByteBuffer() })
            try await with(directory) { get in
                let list = try await get("/v1/regions")
                #expect(list.status == 200)
                let regions = try JSONDecoder().decode(RegionsAnswer.self, from: Data(list.text.utf8)).regions
                #expect(regions.map(\.name) == ["region-1", "region-2"])
                #expect(regions.allSatisfy { $0.circuit == .closed && $0.roundTrip == nil && $0.load == nil && !$0.isReportFresh })
                let one = try await get("/v1/regions/region-2?limit=5")
                let detail = try JSONDecoder().decode(RegionDetailAnswer.self, from: Data(one.text.utf8))
                #expect(one.status == 200 && detail.region.name == "region-2" && detail.versions.isEmpty)
                let unknown = try await get("/v1/regions/region-9")
                #expect(unknown.status == 404)
                #expect(unknown.text.contains("unknown_region") && unknown.text.contains("region-1, region-2"))
                #expect(try await get("/v1/regions/region-1?limit=0").status == 400)
            }
            await directory.shutdown()
        }
    }

    @Test func `a node without regions says so`() async throws {
        try await with(nil) { get in
            #expect(try await get("/v1/regions").text == #"{"regions":[]}"#)
            let one = try await get("/v1/regions/region-1")
            #expect(one.status == 404 && one.text.contains("peers.regions names none"))
        }
    }
}
