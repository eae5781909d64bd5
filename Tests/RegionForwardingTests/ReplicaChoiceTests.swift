import EngineCore
import RegionForwarding
import Testing

struct ReplicaChoiceTests {
    private let regions = ["region-1", "region-2", "region-3", "region-4"]

    private func key(_ number: Int) throws -> FunctionKey {
        FunctionKey(account: try #require(Sample.account), region: "eu-central-1", name: "function-\(number)")
    }

    private func members(_ number: Int, among regions: [String]) throws -> Set<String> {
        Set(ReplicaChoice.members(ReplicaChoice.order(try key(number), among: regions), breadth: 2) { _ in true })
    }

    @Test func `PLACE-02 every node that knows the same regions finds the same subset`() throws {
        for number in 0..<100 {
            let order = ReplicaChoice.order(try key(number), among: regions)
            #expect(order == ReplicaChoice.order(try key(number), among: regions.reversed()))
            #expect(Set(order) == Set(regions))
        }
    }

    @Test func `PLACE-02 functions spread evenly over regions`() throws {
        var counts: [String: Int] = [:]
        for number in 0..<2000 { for region in try members(number, among: regions) { counts[region, default: 0] += 1 } }
        // 1000 each; the deviation of a fair choice is about 22.
        #expect(counts.count == 4)
        #expect(counts.values.allSatisfy { (890...1110).contains($0) }, "\(counts)")
    }

    @Test func `PLACE-02 a region that goes changes only the subsets it was in`() throws {
        for number in 0..<500 {
            let before = try members(number, among: regions)
            let after = try members(number, among: Array(regions.dropLast()))
            #expect(before.contains("region-4") ? after.isSuperset(of: before.subtracting(["region-4"])) : after == before)
        }
    }

    @Test func `PLACE-02 a region out of reach is replaced by the next`() {
        let order = ["c", "a", "b"]
        #expect(ReplicaChoice.members(order, breadth: 2) { $0 != "c" } == ["a", "b"])
        #expect(ReplicaChoice.members(order, breadth: 2) { $0 == "b" } == ["b"])
        #expect(ReplicaChoice.members(order, breadth: 9) { _ in true } == order)
        #expect(ReplicaChoice.members(order, breadth: 0) { _ in true } == [])
    }
}
