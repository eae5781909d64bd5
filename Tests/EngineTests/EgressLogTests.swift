import Testing

@testable import Engine

/// What a function may write into the node's log by connecting.
@Suite struct EgressLogTests {
    private typealias Drop = EgressLog.Budgets.Drop

    private static func arn(_ name: String) -> String { "arn:aws:lambda:pop:000000000001:function:\(name)" }

    /// - Returns: how many of `count` records may be written, and what is said before them.
    private func add(
        _ count: Int, of arn: String, isRelayed: Bool = false, second: Int64, to budgets: inout EgressLog.Budgets
    ) -> (lines: Int, drops: [Drop]) {
        var result = (lines: 0, drops: [Drop]())
        for _ in 0..<count {
            let (mayWrite, drops) = budgets.take(for: arn, isRelayed: isRelayed, second: second)
            if mayWrite { result.lines += 1 }
            result.drops += drops
        }
        return result
    }

    @Test func `a function that is refused without end hides no other's lines, and not its own connections`() {
        var budgets = EgressLog.Budgets()
        #expect(add(5000, of: Self.arn("loud"), second: 7, to: &budgets).lines == 10)
        #expect(add(3, of: Self.arn("quiet"), second: 7, to: &budgets).lines == 3)
        #expect(add(12, of: Self.arn("loud"), isRelayed: true, second: 7, to: &budgets).lines == 10)
    }

    @Test func `the versions of a function have one budget`() {
        var budgets = EgressLog.Budgets()
        #expect(add(8, of: Self.arn("f"), second: 7, to: &budgets).lines == 8)
        #expect(add(8, of: Self.arn("f:1"), second: 7, to: &budgets).lines == 2)
    }

    @Test func `what was not written is told by function, once, when its second is over and any function connects`() {
        var budgets = EgressLog.Budgets()
        #expect(add(15, of: Self.arn("b"), second: 7, to: &budgets).drops == [])
        #expect(add(11, of: Self.arn("a"), isRelayed: true, second: 7, to: &budgets).drops == [])
        #expect(add(10, of: Self.arn("c"), second: 7, to: &budgets).drops == [])
        let told = add(10, of: Self.arn("c"), second: 9, to: &budgets)
        #expect(told.lines == 10)
        #expect(told.drops == [
            Drop(function: Self.arn("a"), relayed: 1, refused: 0), Drop(function: Self.arn("b"), relayed: 0, refused: 5),
        ])
        let line = "egress \(Self.arn("b")) was not logged beyond 10 lines a second: relayed=0 refused=5"
        #expect(told.drops.map(\.description).last == line)
        #expect(add(1, of: Self.arn("b"), second: 10, to: &budgets).drops == [])
    }

    @Test func `functions beyond the table share one budget, and the table is empty again in the next second`() {
        var budgets = EgressLog.Budgets()
        for index in 0..<EgressLog.Budgets.functionsMax { #expect(add(1, of: Self.arn("f\(index)"), second: 7, to: &budgets).lines == 1) }
        #expect(add(6, of: Self.arn("x"), second: 7, to: &budgets).lines == 6)
        #expect(add(6, of: Self.arn("y"), second: 7, to: &budgets).lines == 4)
        #expect(add(11, of: Self.arn("f0"), second: 7, to: &budgets).lines == 9)
        let next = add(10, of: Self.arn("y"), second: 8, to: &budgets)
        #expect(next.lines == 10)
        #expect(next.drops == [Drop(function: Self.arn("f0"), relayed: 0, refused: 2), Drop(function: nil, relayed: 0, refused: 2)])
    }
}
