@testable import EngineCore
import Foundation
import Testing

@Suite struct AffinityRuleTests {
    @Test(arguments: [
        ("header:X-User", "header:x-user"), ("query:id", "query:id"), ("body:user.id", "body:user.id"), ("account", "account"),
        ("query:a:b", "query:a:b"), ("body:a.b.c.d.e.f.g.h", "body:a.b.c.d.e.f.g.h"),
    ])
    func `STICK-02 a rule's source is written as text and read back`(text: String, shown: String) throws {
        let source = try #require(AffinityRule.Source(text))
        #expect(source.description == shown)
        let rule = AffinityRule(source: source, patterns: ["a*"], buckets: 3, mode: .require, busy: .overflow, waitMilliseconds: 7)
        #expect(try JSONDecoder().decode(AffinityRule.self, from: JSONEncoder().encode(rule)) == rule)
    }

    @Test(arguments: [
        "", "header", "header:", "header:a b", "header:ä", "cookie:x", "body:", "body:a..b", "body:.a", "body:a.b.c.d.e.f.g.h.i",
        "Account", "query:\(String(repeating: "a", count: 129))", "header:Authorization", "header:x-amz-security-token", "header:Cookie",
    ])
    func `a source that cannot be, or that holds secrets, is none`(text: String) {
        #expect(AffinityRule.Source(text) == nil)
    }

    @Test(arguments: [
        ("image/png", "image/*", true), ("image/", "image/*", true), ("imag", "image/*", false), ("a/image/png", "image/*", false),
        ("", "*", true), ("abc", "a*c", true), ("abcbc", "a*bc", true), ("abcbd", "a*bc", false), ("abc", "abc", true),
        ("abc", "ab", false), ("aXbXc", "a*b*c", true), ("äöü", "ä*ü", true), ("*", "*", true), ("abc", "***", true),
        ("", "", true), ("a", "", false),
    ])
    func `STICK-09 a star stands for any text`(value: String, pattern: String, matches: Bool) {
        #expect(AffinityRule.matches(value, pattern) == matches)
    }

    @Test func `STICK-09 the first pattern that matches is the class, and what matches none is its own`() {
        let rule = AffinityRule(source: .account, patterns: ["image/*", "image/png", "*.css"])
        #expect(rule.routingValue(of: "image/png") == "image/*")
        #expect(rule.routingValue(of: "image/gif") == "image/*")
        #expect(rule.routingValue(of: "a.css") == "*.css")
        #expect(rule.routingValue(of: "text/plain") == "text/plain")
    }

    @Test func `STICK-09 buckets spread values evenly, and equally in every process`() {
        let rule = AffinityRule(source: .account, patterns: ["vip-*"], buckets: 16)
        var counts: [String: Int] = [:]
        for number in 0..<16_000 { counts[rule.routingValue(of: "user-\(number)"), default: 0] += 1 }
        #expect(counts.count == 16)
        // Six standard deviations around 1,000.
        #expect(counts.values.allSatisfy { (814...1186).contains($0) }, "\(counts)")
        #expect(rule.routingValue(of: "vip-1") == "vip-*")
        // Written down, so that a change of the hash, which would move every value, fails here.
        #expect(rule.routingValue(of: "user-1") == "bucket:8/16")
    }

    @Test func `the hash is FNV-1a, then mixed`() {
        var whole = AffinityHash()
        whole.combine("ab")
        var split = AffinityHash()
        split.combine("a")
        split.combine("b")
        #expect(whole.value != split.value)
        #expect(AffinityHash().value == mixed(0xCBF2_9CE4_8422_2325))
        var one = AffinityHash()
        one.combine("a")
        // 0xAF63DC4C8601EC8C is the published FNV-1a of 64 bits of "a".
        #expect(one.value == mixed((0xAF63_DC4C_8601_EC8C ^ 0xFF) &* 0x0000_0100_0000_01B3))
    }

    private func mixed(_ state: UInt64) -> UInt64 {
        let first = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        let second = (first ^ (first >> 27)) &* 0x94D0_49BB_1331_11EB
        return second ^ (second >> 31)
    }

    @Test func `STICK-10 a token of another node or launcher is void where the call runs`() {
        let demand = AffinityDemand(value: "a", container: 7, node: "pop-1", generation: 3, source: .token)
        #expect(demand.settled(at: "pop-1", generation: 3) == demand)
        for settled in [demand.settled(at: "pop-2", generation: 3), demand.settled(at: "pop-1", generation: 4)] {
            #expect(settled.container == nil && settled.tokenIsVoid && settled.value == "a")
        }
        let literal = AffinityDemand(value: "a", source: .literal)
        #expect(literal.settled(at: "pop-2", generation: 9) == literal)
    }
}
