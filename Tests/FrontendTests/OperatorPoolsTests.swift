import EngineCore
import Foundation
@testable import Frontend
import NIOHTTP1
import Testing

/// The routes by which an operator sees and changes sub-pools.
@Suite(.timeLimit(.minutes(1))) struct OperatorPoolsTests {
    private typealias Node = OperatorCapacityNode

    @Test func `POOL-24 pools are inspected with their targets, hits, waits and refusals, and the ledger`() async throws {
        try await Node.with { node in
            let report = try await node.answer(.GET, "/v1/pools", as: PoolsReport.self)
            #expect(report.memoryHeldBytes == 300 << 20 && report.containersBusy == 2 && report.waitingByReason == ["variable_price": 2])
            let python = try #require(report.subPools.first { $0.name == Node.Samples.python })
            #expect(python.kind == .general)
            #expect([python.floor, python.target, python.ceiling] == [1, 2, 9])
            #expect(python.ready == 1 && python.booting == 1 && python.active == 1)
            #expect(python.hits == ["loaded": 9, "warming_pool": 1] && python.waits == ["shortage": 3])
            #expect(python.refusals == ["no_capacity": 1])
            #expect(report.subPools.first { $0.kind == .variable }?.price == 4.5)
            #expect(report.areas == Node.Samples.pools.areas && report.ledger == Node.Samples.pools.ledger)
            #expect(report.totals == Node.Samples.pools.totals)
            let text = try await node.ask(.GET, "/v1/pools", "").text
            #expect(text.contains(#""name":"dedicated/123456789012/eu-central-1/one:1""#))
        }
    }

    @Test(arguments: [
        ("PUT", "general/python/128", #"{"floor":2,"ceiling":8}"#, "configure general/python/128 floor 2 ceiling 8"),
        ("PUT", "general/python/128", #"{"floor":0}"#, "configure general/python/128 floor 0"),
        ("PUT", "general/python/128", #"{"ceiling":10000,"floor":null}"#, "configure general/python/128 ceiling 10000"),
        ("PUT", "fixed/gold", #"{"memoryMebibytes":1024}"#, "configure fixed/gold memory 1 GiB"),
        ("PUT", "fixed/gold", #"{"memoryMebibytes":0}"#, "configure fixed/gold memory 0 B"),
        ("POST", "fixed/gold/lend", #"{"mebibytes":256,"seconds":600}"#, "lend gold 256 MiB 600.0 seconds"),
        ("POST", "fixed/gold/lend", #"{"mebibytes":0}"#, "lend gold 0 B for ever"),
        ("POST", "variable/spot/drain", "", "drain variable/spot"),
        ("POST", "general/python/128/resume", "", "resume general/python/128"),
        (
            "POST", "dedicated/123456789012/eu-central-1/one:%24LATEST/drain", "",
            "drain dedicated/123456789012/eu-central-1/one:$LATEST"
        ),
    ] as [(String, String, String, String)])
    func `POOL-24 pools are resized, lent, drained and resumed live`(
        method: String, pool: String, body: String, told: String
    ) async throws {
        try await Node.with { node in
            let answer = try await node.answer(HTTPMethod(rawValue: method), "/v1/pools/\(pool)", body, as: SubPoolAnswer.self)
            #expect(node.log.lines == [told])
            #expect(told.contains(" \(answer.changed)") || told.contains("lend gold"))
            #expect(answer.subPool?.name == Node.Samples.pools.subPools.first { $0.name == answer.changed }?.name)
        }
    }

    @Test(arguments: [
        (#"{"function":"one","count":2}"#, "reserve arn:aws:lambda:eu-central-1:123456789012:function:one $LATEST 2"),
        (#"{"function":"one:1","count":0}"#, "reserve arn:aws:lambda:eu-central-1:123456789012:function:one 1 0"),
        (#"{"function":"one","version":"1","count":1000}"#, "reserve arn:aws:lambda:eu-central-1:123456789012:function:one 1 1000"),
        (
            #"{"function":"both","account":"210987654321","count":1}"#,
            "reserve arn:aws:lambda:eu-central-1:210987654321:function:both $LATEST 1"
        ),
    ] as [(String, String)])
    func `POOL-24 containers are reserved for the version of a function`(body: String, told: String) async throws {
        try await Node.with { node in
            let answer = try await node.answer(.POST, "/v1/reserve", body, as: SubPoolAnswer.self)
            #expect(node.log.lines == [told])
            #expect(answer.changed.kind == .dedicated)
            #expect((answer.subPool?.target == 2) == told.contains("one 1 "))
        }
    }

    @Test(arguments: [
        ("PUT", "general/python", #"{"floor":1}"#, 400, "invalid_sub_pool"),
        ("PUT", "nothing/x", #"{"floor":1}"#, 400, "invalid_sub_pool"),
        ("PUT", "fixed/a%20b", #"{"memoryMebibytes":1}"#, 400, "invalid_sub_pool"),
        ("PUT", "fixed/a%2Fb", #"{"memoryMebibytes":1}"#, 400, "invalid_sub_pool"),
        ("PUT", "fixed/\(String(repeating: "x", count: 65))", #"{"memoryMebibytes":1}"#, 400, "invalid_sub_pool"),
        ("PUT", "general/python/128", "", 400, "invalid_body"), ("PUT", "general/python/128", "[]", 400, "invalid_body"),
        ("PUT", "general/python/128", #"{"flor":1}"#, 400, "invalid_body"), ("PUT", "general/python/128", "{}", 400, "invalid_floor"),
        ("PUT", "general/python/128", #"{"floor":-1}"#, 400, "invalid_floor"),
        ("PUT", "general/python/128", #"{"floor":1.5}"#, 400, "invalid_floor"),
        ("PUT", "general/python/128", #"{"ceiling":10001}"#, 400, "invalid_ceiling"),
        ("PUT", "general/python/128", #"{"floor":3,"ceiling":2}"#, 400, "invalid_floor"),
        ("PUT", "general/python/128", #"{"memoryMebibytes":2}"#, 400, "invalid_body"),
        ("PUT", "fixed/gold", #"{"memoryMebibytes":99999999999999999999}"#, 400, "invalid_memoryMebibytes"),
        ("PUT", "fixed/gold", "{}", 400, "invalid_memoryMebibytes"),
        ("PUT", "variable/spot", #"{"floor":1}"#, 400, "invalid_setting"),
        ("PUT", "dedicated/123456789012/eu-central-1/one:1", #"{"floor":1}"#, 400, "invalid_setting"),
        ("PUT", "fixed/gold", #"{"x":"\#(String(repeating: "x", count: 17 << 10))"}"#, 413, "body_too_large"),
        ("POST", "general/python/128/lend", #"{"mebibytes":1}"#, 400, "invalid_setting"),
        ("POST", "fixed/gold/lend", #"{"seconds":1}"#, 400, "invalid_mebibytes"),
        ("POST", "fixed/gold/lend", #"{"mebibytes":1,"seconds":0}"#, 400, "invalid_seconds"),
        ("POST", "fixed/gold/lend", #"{"mebibytes":1,"seconds":99999999}"#, 400, "invalid_seconds"),
        ("POST", "fixed/gold/open", "", 404, "unknown_path"), ("DELETE", "fixed/gold", "", 404, "unknown_path"),
    ] as [(String, String, String, UInt, String)])
    func `a change that cannot be is refused, and the engine is not told of it`(
        method: String, pool: String, body: String, status: UInt, code: String
    ) async throws {
        try await Node.with { node in
            let answer = try await node.ask(HTTPMethod(rawValue: method), "/v1/pools/\(pool)", body)
            #expect(answer.status == status)
            #expect(answer.text.contains(#""error":"\#(code)""#), "\(answer.text)")
            #expect(node.log.lines.isEmpty)
        }
    }

    @Test(arguments: [
        (#"{"count":1}"#, 400, "invalid_function"), (#"{"function":7,"count":1}"#, 400, "invalid_function"),
        (#"{"function":"a b","count":1}"#, 400, "invalid_function"), (#"{"function":"none","count":1}"#, 404, "function_not_found"),
        (#"{"function":"one:2","count":1}"#, 404, "function_not_found"), (#"{"function":"one:live","count":1}"#, 404, "function_not_found"),
        (#"{"function":"both","count":1}"#, 409, "function_ambiguous"), (#"{"function":"one"}"#, 400, "invalid_count"),
        (#"{"function":"one","count":1001}"#, 400, "invalid_count"), (#"{"function":"one","count":"1"}"#, 400, "invalid_count"),
        (#"{"function":"one","count":1,"account":"x"}"#, 400, "invalid_account"),
    ] as [(String, UInt, String)])
    func `a reservation that cannot be is refused`(body: String, status: UInt, code: String) async throws {
        try await Node.with { node in
            let answer = try await node.ask(.POST, "/v1/reserve", body)
            #expect(answer.status == status)
            #expect(answer.text.contains(#""error":"\#(code)""#), "\(answer.text)")
            #expect(node.log.lines.isEmpty)
        }
    }

    @Test(arguments: [
        (CapacityFailure.Code.notFound, 404), (.invalidSetting, 400), (.notEnoughMemory, 409), (.conflict, 409), (.unavailable, 503),
    ] as [(CapacityFailure.Code, UInt)])
    func `what the engine refuses has a status and its reason`(code: CapacityFailure.Code, status: UInt) async throws {
        try await Node.with(failing: CapacityFailure(code, "because")) { node in
            for (method, target, body) in [
                (HTTPMethod.PUT, "/v1/pools/general/python/128", #"{"floor":1}"#), (.POST, "/v1/pools/fixed/gold/drain", ""),
                (.POST, "/v1/pools/fixed/gold/lend", #"{"mebibytes":1}"#), (.POST, "/v1/reserve", #"{"function":"one","count":1}"#),
                (.DELETE, "/v1/instances/3", ""), (.DELETE, "/v1/containers/11", ""),
            ] {
                let answer = try await node.ask(method, target, body)
                #expect(answer.status == status, "\(target)")
                #expect(answer.text == #"{"error":"\#(code.rawValue)","message":"because"}"#)
            }
        }
    }

    @Test func `an unknown sub-pool is answered with those that there are`() async throws {
        try await Node.with(failing: CapacityFailure(.unknownSubPool, "There is no fixed/silver.")) { node in
            let answer = try await node.ask(.POST, "/v1/pools/fixed/silver/drain", "")
            #expect(answer.status == 404)
            #expect(
                answer.text.contains(
                    "There is no fixed/silver. There are: dedicated/123456789012/eu-central-1/one:1, fixed/gold, general/python/128, "
                        + "variable/spot."))
        }
    }

    @Test func `a node without control of its capacity says so, and still shows its counts`() async throws {
        try await Node.with(hasCapacity: false) { node in
            #expect(try await node.ask(.GET, "/v1/pools", "").text == #"{"old":1}"#)
            for (method, target) in [
                (HTTPMethod.PUT, "/v1/pools/fixed/gold"), (.POST, "/v1/reserve"), (.GET, "/v1/instances"), (.DELETE, "/v1/containers/1"),
                (.GET, "/v1/sticky"), (.GET, "/v1/why-cold?function=one"),
            ] {
                let answer = try await node.ask(method, target, "")
                #expect(answer.status == 503 && answer.text.contains("no_capacity_control"), "\(target)")
            }
        }
    }
}
