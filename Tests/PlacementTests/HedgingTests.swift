import Placement
import Testing

@Suite struct HedgingTests {
    @Test(arguments: [(5, 1000, 50), (10, 100, 10), (100, 30, 30), (1, 99, 0)])
    func `PLACE-17 of calls that might be sent twice no larger share is`(percent: Int, calls: Int, most: Int) {
        var budget = HedgeBudget(percentMax: percent)
        var sent = 0
        for _ in 0..<calls {
            budget.earn()
            if budget.spend() { sent += 1 }
        }
        #expect(sent == most)
    }

    @Test func `what quiet times have earned is saved up to a few calls`() {
        var budget = HedgeBudget(percentMax: 50)
        for _ in 0..<1000 { budget.earn() }
        var sent = 0
        while budget.spend() { sent += 1 }
        #expect(sent == 10)
    }
}
