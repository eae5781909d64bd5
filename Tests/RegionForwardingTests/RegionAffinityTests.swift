import EngineCore
import RegionForwarding
import Testing

@Suite struct RegionAffinityTests {
    private let start = EngineInstant(nanoseconds: 0)

    private func key(_ value: String) throws -> SiteRing.Key {
        let account = try #require(Sample.account)
        return .init(function: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .latest, value: value)
    }

    @Test func `STICK-07 a value goes where it was served last, until it is forgotten or has not been used for long`() throws {
        var table = RegionAffinity(idleMax: .seconds(10))
        let (ann, bob) = (try key("ann"), try key("bob"))
        #expect(table.region(of: ann, now: start) == nil)
        table.note(ann, at: "region-1", now: start)
        table.note(bob, at: "region-2", now: start)
        table.note(bob, at: "region-1", now: start + .seconds(5))
        #expect(table.region(of: ann, now: start + .seconds(10)) == "region-1")
        #expect(table.region(of: ann, now: start + .seconds(11)) == nil)
        #expect(table.region(of: bob, now: start + .seconds(11)) == "region-1")
        table.forget(bob)
        #expect(table.region(of: bob, now: start + .seconds(5)) == nil)
    }

    @Test func `STICK-20 a flood of values leaves the table within its limit, and the values used last in it`() throws {
        var table = RegionAffinity(rowsMax: 100)
        let often = try key("often")
        for number in 0..<1000 {
            table.note(try key("v\(number)"), at: "region-1", now: start)
            table.note(often, at: "region-2", now: start)
            #expect(table.rowCount <= 100)
        }
        #expect(table.region(of: often, now: start) == "region-2")
        for number in 960..<1000 { #expect(table.region(of: try key("v\(number)"), now: start) == "region-1") }
        #expect(table.region(of: try key("v0"), now: start) == nil)
    }
}
