import EngineCore
import Testing

@testable import RegionForwarding

struct ReplicationDemandTests {
    private var configuration: ReplicationConfiguration {
        var configuration = ReplicationConfiguration()
        configuration.breadth = 2
        configuration.callsPerRegion = 60
        configuration.demandHalfLife = .seconds(60)
        configuration.demandsMax = 8
        return configuration
    }

    private func seconds(_ value: Double) -> EngineInstant { EngineInstant(nanoseconds: Int64(value * 1e9)) }

    @Test func `PLACE-02 breadth follows the rate of forwarded calls up and, with hysteresis, down`() {
        var demand = ReplicationDemand(configuration: configuration)
        #expect(demand.breadth("v", all: 8, now: seconds(0)) == 2)
        // 3.5 calls a second, for so long that the measured rate is nearly that: 210 a minute, for which three regions are too few.
        var now = 0.0
        for _ in 0..<2100 {
            demand.note("v", now: seconds(now))
            now += 1 / 3.5
        }
        #expect(demand.breadth("v", all: 8, now: seconds(now)) == 4)
        #expect(demand.breadth("v", all: 3, now: seconds(now)) == 3, "there are no more")
        // Three are enough for twice what is left after 1.3 half-lives, two after 1.8, at which rate one more would not be earned.
        #expect(demand.breadth("v", all: 8, now: seconds(now + 40)) == 4)
        #expect(demand.breadth("v", all: 8, now: seconds(now + 80)) == 3)
        #expect(demand.breadth("v", all: 8, now: seconds(now + 120)) == 2)
        #expect(demand.breadth("v", all: 8, now: seconds(now + 9000)) == 2)
    }

    @Test func `more versions than are counted make the one called longest ago forgotten`() {
        var demand = ReplicationDemand(configuration: configuration)
        for number in 0..<100 {
            demand.note("v\(number)", now: seconds(Double(number)))
            #expect(demand.count <= 8)
        }
    }

    @Test func `with fewer regions than the breadth all are meant`() {
        var demand = ReplicationDemand(configuration: configuration)
        #expect(demand.breadth("v", all: 1, now: seconds(0)) == 1)
        #expect(demand.breadth("v", all: 0, now: seconds(0)) == 0)
    }
}
