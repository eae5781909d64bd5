import EngineCore
import Foundation
@testable import Frontend
import NIOHTTP1
import Testing

/// The routes that show instances, containers, routing values and cold starts, and end them.
@Suite(.timeLimit(.minutes(1))) struct OperatorInventoryTests {
    private typealias Node = OperatorCapacityNode

    @Test func `STICK-01 the inventory leads from container to instance, account, function, version and state`() async throws {
        try await Node.with { node in
            let all = try await node.answer(.GET, "/v1/instances", as: InstancesAnswer.self).instances
            #expect(all.map(\.instance) == [3, 7])
            let container = try #require(all[0].containers.first)
            #expect(container.container == 11 && container.instance == 3 && container.state == "idle")
            #expect(all[0].account?.description == Node.account && all[0].state == "active")
            #expect(container.function == Node.Samples.function("one").arn && container.version == .published(1))
            #expect(all[1].account == nil && all[1].containers.map(\.state) == ["spare"] && all[1].containers[0].function == nil)
            let mine = try await node.answer(.GET, "/v1/instances?account=\(Node.account)", as: InstancesAnswer.self).instances
            #expect(mine.map(\.instance) == [3])
            #expect(try await node.answer(.GET, "/v1/instances?account=\(Node.other)", as: InstancesAnswer.self).instances.isEmpty)
            let one = try await node.answer(.GET, "/v1/instances/3", as: InstanceReport.self)
            #expect(one.containers.map(\.container) == [11, 12])
        }
    }

    @Test func `an instance or a container is ended by its number`() async throws {
        try await Node.with { node in
            let instance = try await node.answer(.DELETE, "/v1/instances/3", as: KillAnswer.self)
            #expect(instance.instance == 3 && instance.containers == [11, 12] && instance.busy == 1)
            let container = try await node.answer(.DELETE, "/v1/containers/11", as: KillAnswer.self)
            #expect(container.instance == 3 && container.containers == [11] && container.busy == 0)
            #expect(node.log.lines == ["kill instance(3)", "kill container(11)"])
        }
    }

    @Test func `a container is pinned, and let go again, by its number`() async throws {
        try await Node.with { node in
            for method in [HTTPMethod.PUT, .DELETE] {
                #expect(try await node.answer(method, "/v1/containers/11/pin", as: ContainerReport.self).container == 11)
            }
            #expect(node.log.lines == ["pin 11", "unpin 11"])
            let missing = try await node.ask(.PUT, "/v1/containers/99/pin", "")
            #expect(missing.status == 404)
        }
    }

    @Test(arguments: [
        ("GET", "instances?account=x", 400, "invalid_account"), ("GET", "instances/4", 404, "not_found"),
        ("GET", "instances/x", 400, "invalid_instance"), ("GET", "instances/03", 400, "invalid_instance"),
        ("DELETE", "instances/4", 404, "not_found"), ("DELETE", "instances/-3", 400, "invalid_instance"),
        ("DELETE", "containers/3", 404, "not_found"), ("DELETE", "containers/99999999999999999999", 400, "invalid_container"),
        ("GET", "containers/11", 404, "unknown_path"), ("POST", "instances/3", 404, "unknown_path"),
        ("GET", "sticky?account=x", 400, "invalid_account"), ("GET", "sticky?limit=0", 400, "invalid_limit"),
        ("DELETE", "sticky/alice", 400, "invalid_row"), ("DELETE", "sticky/0000000000000000", 404, "not_found"),
        ("GET", "why-cold", 400, "invalid_function"), ("GET", "why-cold?function=none", 404, "function_not_found"),
        ("GET", "why-cold?function=both", 409, "function_ambiguous"),
    ] as [(String, String, UInt, String)])
    func `what is not there, or no name of anything, is said to be so`(
        method: String, target: String, status: UInt, code: String
    ) async throws {
        try await Node.with { node in
            let answer = try await node.ask(HTTPMethod(rawValue: method), "/v1/\(target)", "")
            #expect(answer.status == status)
            #expect(answer.text.contains(#""error":"\#(code)""#), "\(answer.text)")
            #expect(node.log.lines.isEmpty)
        }
    }

    @Test func `STICK-06 the table is listed, last used first, and a row is removed by its name`() async throws {
        try await Node.with { node in
            let all = try await node.answer(.GET, "/v1/sticky", as: StickyAnswer.self)
            #expect(all.rows.map(\.container) == [13, 11] && all.total == 2)
            #expect(all.rows[1].value == "alice" && all.rows[1].uses == 3 && all.rows[1].account.description == Node.account)
            // One value of two functions is two rows.
            #expect(Set(all.rows.map(\.id)).count == 2)
            let one = try await node.answer(.GET, "/v1/sticky?limit=1", as: StickyAnswer.self)
            #expect(one.rows.map(\.container) == [13] && one.total == 2)
            let filters: [(String, [UInt64])] = [("function=one", [11]), ("account=\(Node.other)", [13]), ("function=none", [])]
            for (query, expected) in filters {
                #expect(try await node.answer(.GET, "/v1/sticky?\(query)", as: StickyAnswer.self).rows.map(\.container) == expected)
            }
            let removed = try await node.answer(.DELETE, "/v1/sticky/\(all.rows[1].id)", as: StickyRow.self)
            #expect(removed.container == 11)
            #expect(try await node.answer(.GET, "/v1/sticky", as: StickyAnswer.self).rows.map(\.container) == [13])
            #expect(try await node.ask(.DELETE, "/v1/sticky/\(all.rows[1].id)", "").status == 404)
        }
    }

    @Test func `a cold start is explained with its numbers and with what would have made it warm`() async throws {
        try await Node.with { node in
            let all = try await node.answer(.GET, "/v1/why-cold?function=one", as: ColdStartsAnswer.self)
            #expect(all.function == Node.Samples.function("one").arn)
            #expect(all.coldStarts.map(\.cause) == [.busy, .first])
            #expect(all.coldStarts[0].sentence == "All 3 of its containers were busy.")
            #expect(all.coldStarts[0].remedy == "Keep as many ready as run at once: wayside pool reserve one:1 --count 4.")
            #expect(all.coldStarts[0].requestID == Node.Samples.coldStarts[1].requestID && all.coldStarts[0].branch == .warmingPool)
            let published = try await node.answer(.GET, "/v1/why-cold?function=one:1", as: ColdStartsAnswer.self)
            #expect(published.coldStarts.map(\.cause) == [.busy])
            let none = try await node.answer(.GET, "/v1/why-cold?function=both&account=\(Node.other)", as: ColdStartsAnswer.self)
            #expect(none.coldStarts.isEmpty)
        }
    }

    @Test(arguments: ColdCause.allCases)
    func `every cause has a sentence and a remedy, with and without numbers`(cause: ColdCause) {
        let numbers = ColdStartReport.Details(
            endedAgoSeconds: 700, idleSeconds: 95, evictedFor: "arn:aws:lambda:eu-central-1:1:function:x", busy: 1)
        for details in [ColdStartReport.Details(), numbers] {
            let text = ColdStartExplanation(cause: cause, details: details, function: "f", version: .latest)
            #expect(text.sentence.hasSuffix(".") && text.remedy.hasSuffix("."))
            #expect(!text.sentence.contains("  ") && !text.sentence.contains("nil") && !text.sentence.contains("Optional"))
        }
    }

    @Test func `times are told in the largest unit that leaves two digits`() {
        let expected = [(0.04, "0.0 s"), (9.87, "9.9 s"), (95, "95 s"), (700, "12 min"), (36_000, "10 h"), (200_000, "56 h")]
        for (seconds, text) in expected { #expect(ColdStartExplanation.time(seconds) == text) }
    }
}
