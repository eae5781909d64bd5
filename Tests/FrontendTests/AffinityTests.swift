import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import NIOCore
import Synchronization
import Testing

/// Which container calls want, as the engine behind a real server is told it, and what callers are told in return.
@Suite(.timeLimit(.minutes(2))) struct AffinityTests {
    /// Notes what each call wants and says that it ran in a container.
    private final class Runs: Sendable {
        private let requests = Mutex<[InvocationRequest]>([])
        let result: Mutex<AffinityDemand.Result>
        let isOverflow: Bool

        init(_ result: AffinityDemand.Result = .hit, isOverflow: Bool = false) {
            self.result = Mutex(result)
            self.isOverflow = isOverflow
        }

        var last: InvocationRequest? { requests.withLock { $0.last } }
        var demand: AffinityDemand? { last?.affinity }

        var invoke: LambdaNode.Invoke {
            { [self] request throws(InvocationError) in
                requests.withLock { $0.append(request) }
                let result = InvocationResult.test(request, .success(request.payload))
                guard let demand = request.affinity else { return result }
                var record = result.record
                var capacity = InvocationRecord.Capacity()
                capacity.container = demand.container ?? 42
                capacity.affinity = .init(
                    source: demand.source, value: demand.value, result: self.result.withLock { $0 }, isOverflow: isOverflow,
                    tokenIsVoid: demand.tokenIsVoid)
                record.capacity = capacity
                return InvocationResult(outcome: result.outcome, log: result.log, record: record)
            }
        }
    }

    private static let tokens = AffinityTokens(key: [UInt8](repeating: 1, count: 32), node: "pop-1", generation: { 5 })

    private static func rule(_ rule: [String: Any]) -> [String: Any] { ["Wayside": ["Affinity": rule]] }

    private func post(_ node: LambdaNode, _ target: String, _ event: String = "{}", headers: [String: String] = [:]) async throws
        -> LambdaReply
    {
        try await node.send(.post, "/2015-03-31/functions/\(target)", Array(event.utf8), headers: headers)
    }

    @Test func `STICK-02 the owner's rule finds the value in a header, in the query or in the event`() async throws {
        let runs = Runs()
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            try await node.create("header", Self.rule(["Source": "header:X-User"]))
            try await node.create("query", Self.rule(["Source": "query:id"]))
            let rule: [String: Any] = ["Source": "body:user.id", "Mode": "require", "Busy": "reject", "WaitMilliseconds": 50]
            try await node.create("body", Self.rule(rule))
            #expect(try await node.invoke("header", headers: ["x-user": "ann"]).status == 200)
            #expect(runs.demand == AffinityDemand(value: "ann", source: .header))
            #expect(try await post(node, "query/invocations?id=b%20c").status == 200)
            #expect(runs.demand == AffinityDemand(value: "b c", source: .query))
            #expect(try await node.invoke("body", #"{"user": {"id": 17}}"#).status == 200)
            #expect(
                runs.demand
                    == AffinityDemand(value: "17", source: .body, mode: .require, busy: .reject, waitMax: .milliseconds(50)))
        }
    }

    @Test func `STICK-03 a literal value wins over the rule, and a token over both`() async throws {
        let runs = Runs()
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            try await node.create("hello", Self.rule(["Source": "header:X-User", "Patterns": ["a*"], "Busy": "overflow"]))
            let ruled = try await node.invoke("hello", headers: ["X-User": "ann"])
            #expect(runs.demand?.value == "a*" && runs.demand?.source == .header)
            _ = try await node.invoke("hello", headers: ["X-User": "ann", "Wayside-Affinity": "abc"])
            #expect(runs.demand == AffinityDemand(value: "abc", source: .literal, busy: .overflow))
            for context in [#"{"custom":{"wayside-affinity":"ctx"}}"#, #"{"wayside-affinity":"ctx"}"#] {
                let encoded = Data(context.utf8).base64EncodedString()
                _ = try await node.invoke("hello", headers: ["X-User": "ann", "X-Amz-Client-Context": encoded])
                #expect(runs.demand == AffinityDemand(value: "ctx", source: .literal, busy: .overflow))
                _ = try await node.invoke("hello", headers: ["X-Amz-Client-Context": encoded, "Wayside-Affinity": "abc"])
                #expect(runs.demand?.value == "abc")
            }
            let token = try #require(ruled.headers["wayside-container"])
            _ = try await node.invoke("hello", headers: ["X-User": "ann", "Wayside-Affinity": "abc", "Wayside-Container": token])
            #expect(runs.demand?.source == .token && runs.demand?.container == 42 && runs.demand?.value == "abc")
            _ = try await node.invoke(
                "hello", headers: ["X-User": "ann", "Wayside-Affinity-Mode": "require", "Wayside-Affinity-Busy": "wait"])
            #expect(runs.demand == AffinityDemand(value: "a*", source: .header, mode: .require, busy: .wait))
        }
    }

    @Test func `STICK-04 the value may be the caller's account`() async throws {
        let runs = Runs()
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            for key in [node.account, node.other] { try await node.create("hello", Self.rule(["Source": "account"]), as: key) }
            _ = try await node.invoke("hello")
            #expect(runs.demand == AffinityDemand(value: "123456789012", source: .account))
            _ = try await node.invoke("hello", as: node.other)
            #expect(runs.demand == AffinityDemand(value: "210987654321", source: .account))
        }
    }

    @Test func `STICK-05 a call without indication is not sticky, and its answer says nothing of it`() async throws {
        let runs = Runs()
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            try await node.create("plain")
            try await node.create("ruled", Self.rule(["Source": "body:id"]))
            let long = String(repeating: "x", count: 257)
            let encoded = Data(#"{"custom":{"other":"x"}}"#.utf8).base64EncodedString()
            for reply in [
                try await node.invoke("plain"), try await node.invoke("plain", headers: ["X-Amz-Client-Context": encoded]),
                try await node.invoke("plain", headers: ["Wayside-Affinity-Mode": "require"]), try await node.invoke("ruled"),
                try await node.invoke("ruled", #"{"id":null}"#), try await node.invoke("ruled", "{\"id\":\"\(long)\"}"),
            ] {
                #expect(reply.status == 200 && runs.demand == nil)
                #expect(!reply.headers.keys.contains { $0.hasPrefix("wayside-affinity") || $0 == "wayside-container" })
            }
        }
    }

    @Test func `STICK-09 the requests of a class want one container`() async throws {
        let runs = Runs()
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            try await node.create("hello", Self.rule(["Source": "query:path", "Patterns": ["image/*"], "Buckets": 4]))
            for path in ["image/a.png", "image/b.gif"] {
                _ = try await post(node, "hello/invocations?path=\(path)")
                #expect(runs.demand?.value == "image/*")
            }
            var buckets: Set<String> = []
            for number in 0..<64 {
                _ = try await post(node, "hello/invocations?path=\(number)")
                buckets.insert(try #require(runs.demand?.value))
            }
            #expect(buckets == Set((0..<4).map { "bucket:\($0)/4" }))
        }
    }

    @Test func `STICK-10 a token leads back to its container; forged, too old or another's it is void, or an error`() async throws {
        let runs = Runs()
        let now = Mutex(Date().timeIntervalSince1970)
        let clock = LambdaClock(now: { .now() }, epochSeconds: { now.withLock { $0 } })
        try await LambdaNode.with(
            invoke: runs.invoke, clock: clock, tokens: Self.tokens, configure: { $0.clockSkewSeconds = 10_000 }
        ) { node in
            for key in [node.account, node.other] { try await node.create("hello", as: key) }
            let first = try await node.invoke("hello", headers: ["Wayside-Affinity": "a"])
            let token = try #require(first.headers["wayside-container"])
            let replayed = try await node.invoke("hello", headers: ["Wayside-Container": token])
            #expect(replayed.status == 200 && replayed.headers["wayside-container"] == token)
            #expect(runs.demand == AffinityDemand(value: nil, container: 42, node: "pop-1", generation: 5, source: .token))

            func isVoid(_ token: String, as key: NewAccessKey) async throws {
                runs.result.withLock { $0 = .new }
                let preferred = try await node.invoke("hello", headers: ["Wayside-Container": token], as: key)
                #expect(preferred.status == 200 && preferred.headers["wayside-affinity-token"] == "void")
                #expect(preferred.headers["wayside-affinity-result"] == "new")
                #expect(runs.demand == AffinityDemand(value: nil, tokenIsVoid: true, source: .token))
                let required = try await node.invoke(
                    "hello", headers: ["Wayside-Container": token, "Wayside-Affinity-Mode": "require"], as: key)
                #expect(required.status == 412 && required.headers["x-amzn-errortype"] == "PreconditionFailedException")
            }
            try await isVoid("AAAA" + token.dropFirst(4), as: node.account)
            try await isVoid(token, as: node.other)
            now.withLock { $0 += 3700 }
            try await isVoid(token, as: node.account)
        }
    }

    @Test(arguments: AffinityDemand.Result.allCases)
    func `STICK-14 the answer says what became of the wish`(result: AffinityDemand.Result) async throws {
        let runs = Runs(result, isOverflow: result == .moved)
        try await LambdaNode.with(invoke: runs.invoke, tokens: Self.tokens) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", headers: ["Wayside-Affinity": "a"])
            #expect(reply.headers["wayside-affinity-result"] == result.rawValue)
            #expect(reply.headers["wayside-affinity-overflow"] == (result == .moved ? "true" : nil))
        }
    }

    @Test(arguments: [(InvocationError.Code.rejectedByPolicy, 429), (.affinity, 412)])
    func `STICK-12 STICK-13 a container that is busy may be asked for again, one that cannot be had may not`(
        code: InvocationError.Code, status: Int
    ) async throws {
        let refuse: LambdaNode.Invoke = { _ throws(InvocationError) in throw InvocationError(code, "The container is not to be had.") }
        try await LambdaNode.with(invoke: refuse) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", headers: ["Wayside-Affinity": "a", "Wayside-Affinity-Busy": "reject"])
            #expect(reply.status == status && reply.headers["wayside-error"] == code.rawValue)
            #expect((reply.headers["retry-after"] != nil) == (status == 429))
        }
    }

    @Test(arguments: [
        ("Wayside-Affinity", ""), ("Wayside-Affinity", String(repeating: "a", count: 257)), ("Wayside-Affinity-Mode", "maybe"),
        ("Wayside-Affinity-Busy", "Wait"), ("Wayside-Defer-Seconds", "0"), ("Wayside-Defer-Seconds", "901"),
        ("Wayside-Defer-Seconds", "1.5"), ("Wayside-Defer-Seconds", "+5"), ("Wayside-Container", ""),
        ("Wayside-Container", String(repeating: "A", count: 513)),
    ])
    func `a header that cannot be is refused by its name`(name: String, value: String) async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", headers: [name: value])
            #expect(reply.status == 400 && reply.headers["x-amzn-errortype"] == "InvalidParameterValueException")
            #expect(reply.text.contains(name))
        }
    }

    @Test func `a call that may begin later has the longer budget, and goes the way that can wait`() async throws {
        let runs = Runs()
        let quick = Mutex<[InvocationRequest]>([])
        let begin: InvocationStart = { request, completion in
            quick.withLock { $0.append(request) }
            completion(.success(.test(request, .success(request.payload))))
            return {}
        }
        try await LambdaNode.with(
            invoke: runs.invoke, begin: begin,
            configure: { $0.startAllowance = .seconds(15) }
        ) { node in
            try await node.create("hello")
            _ = try await node.invoke("hello", headers: ["Wayside-Defer-Seconds": "900"])
            let request = try #require(runs.last)
            #expect(request.deferral == .seconds(900) && request.affinity == nil)
            #expect(request.deadline - request.arrival == .seconds(3 + 15 + 900))
            _ = try await node.invoke("hello", headers: ["Wayside-Affinity": "a"])
            let encoded = Data(#"{"wayside-affinity":"ctx"}"#.utf8).base64EncodedString()
            _ = try await node.invoke("hello", headers: ["X-Amz-Client-Context": encoded])
            #expect(quick.withLock { $0.isEmpty })
            _ = try await node.invoke("hello")
            #expect(quick.withLock { $0.map(\.deferral) } == [nil])
        }
    }

    @Test func `a rule is set, shown, kept, replaced and taken away`() async throws {
        try await LambdaNode.with { node in
            let full: [String: Any] = [
                "Source": "header:X-User", "Patterns": ["image/*"], "Buckets": 8, "Mode": "require", "Busy": "overflow",
                "WaitMilliseconds": 250,
            ]
            func rule(_ reply: LambdaReply) throws -> String {
                let rule = try #require((reply.json["Wayside"] as? [String: Any])?["Affinity"])
                return String(decoding: try JSONSerialization.data(withJSONObject: rule, options: .sortedKeys), as: UTF8.self)
            }
            let path = "/2015-03-31/functions/hello/configuration"
            let shown =
                #"{"Buckets":8,"Busy":"overflow","Mode":"require","Patterns":["image\/*"],"Source":"header:x-user","WaitMilliseconds":250}"#
            let created = try await node.create("hello", Self.rule(full))
            #expect(try rule(created) == shown)
            let kept = try await node.call(.put, path, ["Timeout": 5, "Wayside": ["Egress": [String]()]])
            #expect(try rule(kept) == shown)
            let least = #"{"Busy":"wait","Mode":"prefer","Source":"account","WaitMilliseconds":3000}"#
            let replaced = try await node.call(.put, path, Self.rule(["Source": "account"]))
            #expect(try rule(replaced) == least)
            let read = try await node.send(.get, path)
            #expect(try rule(read) == least)
            let cleared = try await node.call(.put, path, ["Wayside": ["Affinity": NSNull()]])
            #expect(cleared.status == 200 && cleared.json["Wayside"] == nil)
        }
    }

    @Test(arguments: [
        (#"[]"#, "is not a structure"), (#"{}"#, "has no Source"), (#"{"Source":"cookie:a"}"#, "has the Source 'cookie:a'"),
        (#"{"Source":"header:Authorization"}"#, "none that holds secrets"), (#"{"Source":"account","Sauce":1}"#, "has no member 'Sauce'"),
        (#"{"Source":"account","Mode":"must"}"#, "has Mode 'must'. Give prefer, require."),
        (#"{"Source":"account","Busy":"run"}"#, "has Busy 'run'. Give wait, overflow, reject."),
        (#"{"Source":"account","Buckets":0}"#, "has Buckets 0"),
        (#"{"Source":"account","WaitMilliseconds":-1}"#, "has WaitMilliseconds -1"),
        (#"{"Source":"account","Patterns":[""]}"#, "has the pattern ''"),
        (#"{"Source":"account","Patterns":[\#(Array(repeating: #""a""#, count: 33).joined(separator: ","))]}"#, "has 33 Patterns"),
    ])
    func `a rule that cannot be is refused and named`(rule: String, text: String) async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let reply = try await node.send(
                .put, "/2015-03-31/functions/hello/configuration", Array(#"{"Wayside":{"Affinity":\#(rule)}}"#.utf8))
            #expect(reply.status == 400 && reply.headers["x-amzn-errortype"] == "InvalidParameterValueException")
            #expect(reply.text.contains(text), "\(reply.text)")
        }
    }
}
