import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import Testing

/// Reserved and provisioned concurrency in the words of the API.
@Suite struct LambdaConcurrencyTests {
    private static let arn = "arn:aws:lambda:eu-central-1:123456789012:function:hello"

    private static func reserved(_ method: HTTPRequest.Method, _ name: String = "hello") -> String {
        "/\(method == .get ? "2019-09-30" : "2017-10-31")/functions/\(name)/concurrency"
    }

    private static func provisioned(_ query: String, _ name: String = "hello") -> String {
        "/2019-09-30/functions/\(name)/provisioned-concurrency?\(query)"
    }

    @Test func `concurrency is reserved, read wherever AWS shows it, and given back`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            #expect(try await node.send(.get, Self.reserved(.get)).json.isEmpty)
            let put = try await node.call(.put, Self.reserved(.put), ["ReservedConcurrentExecutions": 7])
            #expect(put.status == 200)
            #expect(put.json as? [String: Int] == ["ReservedConcurrentExecutions": 7])
            let read = try await node.send(.get, Self.reserved(.get))
            #expect(read.status == 200)
            #expect(read.json as? [String: Int] == ["ReservedConcurrentExecutions": 7])
            let function = try await node.send(.get, "/2015-03-31/functions/hello")
            #expect(function.json["Concurrency"] as? [String: Int] == ["ReservedConcurrentExecutions": 7])
            let account = try await node.send(.get, "/2016-08-19/account-settings")
            let limit = try #require(account.json["AccountLimit"] as? [String: Int])
            #expect(limit["ConcurrentExecutions"] == 1000)
            #expect(limit["UnreservedConcurrentExecutions"] == 993)
            for _ in 0..<2 {
                let deleted = try await node.send(.delete, Self.reserved(.delete))
                #expect(deleted.status == 204)
                #expect(deleted.body.isEmpty)
            }
            #expect(try await node.send(.get, Self.reserved(.get)).json.isEmpty)
            #expect(try await node.send(.get, "/2015-03-31/functions/hello").json["Concurrency"] == nil)
        }
    }

    @Test func `reservations that AWS refuses are refused in its words`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let path = Self.reserved(.put)
            let tooMany = try await node.call(.put, path, ["ReservedConcurrentExecutions": 901])
            #expect(tooMany.status == 400)
            #expect(tooMany.errorType == "InvalidParameterValueException")
            #expect(
                tooMany.message == "Specified ReservedConcurrentExecutions for function decreases account's "
                    + "UnreservedConcurrentExecution below its minimum value of [100].")
            let negative = try await node.call(.put, path, ["ReservedConcurrentExecutions": -1])
            #expect(negative.errorType == "ValidationException")
            #expect(
                negative.message == "1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy "
                    + "constraint: Member must have value greater than or equal to 0")
            let missing = try await node.call(.put, path, ["Other": 1])
            #expect(
                missing.message == "1 validation error detected: Value null at 'reservedConcurrentExecutions' failed to satisfy "
                    + "constraint: Member must not be null")
            let nothing = try await node.call(.put, Self.reserved(.put, "nothing"), ["ReservedConcurrentExecutions": 1])
            #expect(nothing.status == 404)
            #expect(nothing.message == "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:nothing")
            #expect(try await node.send(.get, Self.reserved(.get, "nothing")).status == 404)
            #expect(try await node.send(.delete, Self.reserved(.delete, "nothing")).status == 404)
            let qualified = try await node.call(.put, Self.reserved(.put, "hello:1"), ["ReservedConcurrentExecutions": 1])
            #expect(qualified.errorType == "InvalidParameterValueException")
            #expect(qualified.message?.hasPrefix("This operation is permitted on Lambda functions only.") == true)
            #expect(try await node.send(.get, Self.reserved(.get)).json.isEmpty)
        }
    }

    @Test func `concurrency is provisioned, read, listed and ended`() async throws {
        let status: @Sendable (FunctionKey, FunctionVersion) -> ProvisionedStatus = { _, version in
            version == .published(1)
                ? ProvisionedStatus(available: 1, allocated: 2, state: .ready)
                : ProvisionedStatus(available: 0, allocated: 0, state: .failed, reason: "FUNCTION_ERROR_INIT_FAILURE")
        }
        try await LambdaNode.with(provisionedStatus: status) { node in
            try await node.create("hello", ["Publish": true])
            let put = try await node.call(.put, Self.provisioned("Qualifier=1"), ["ProvisionedConcurrentExecutions": 2])
            #expect(put.status == 202)
            #expect(put.json["RequestedProvisionedConcurrentExecutions"] as? Int == 2)
            #expect(put.json["AllocatedProvisionedConcurrentExecutions"] as? Int == 0)
            #expect(put.json["Status"] as? String == "IN_PROGRESS")
            let modified = try #require(put.json["LastModified"] as? String)
            #expect(modified.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000/) != nil)

            let read = try await node.send(.get, Self.provisioned("Qualifier=1"))
            #expect(read.status == 200)
            #expect(read.json["AvailableProvisionedConcurrentExecutions"] as? Int == 1)
            #expect(read.json["AllocatedProvisionedConcurrentExecutions"] as? Int == 2)
            #expect(read.json["Status"] as? String == "READY")
            #expect(read.json["StatusReason"] == nil)
            #expect(read.json["LastModified"] as? String == modified)

            _ = try await node.call(.put, "/2015-03-31/functions/hello/configuration", ["Timeout": 9])
            #expect(try await node.send(.post, "/2015-03-31/functions/hello/versions").json["Version"] as? String == "2")
            #expect(try await node.call(.put, Self.provisioned("Qualifier=2"), ["ProvisionedConcurrentExecutions": 1]).status == 202)
            var configs: [[String: Any]] = []
            var marker = ""
            repeat {
                let page = try await node.send(.get, Self.provisioned("List=ALL&MaxItems=1\(marker)"))
                #expect(page.status == 200)
                configs += try #require(page.json["ProvisionedConcurrencyConfigs"] as? [[String: Any]])
                marker = (page.json["NextMarker"] as? String).map { "&Marker=\($0.replacingOccurrences(of: "=", with: "%3D"))" } ?? ""
            } while !marker.isEmpty && configs.count < 9
            #expect(configs.map { $0["FunctionArn"] as? String } == ["\(Self.arn):1", "\(Self.arn):2"])
            #expect(configs.map { $0["Status"] as? String } == ["READY", "FAILED"])
            #expect(configs.last?["StatusReason"] as? String == "FUNCTION_ERROR_INIT_FAILURE")

            for _ in 0..<2 { #expect(try await node.send(.delete, Self.provisioned("Qualifier=1")).status == 204) }
            let gone = try await node.send(.get, Self.provisioned("Qualifier=1"))
            #expect(gone.status == 404)
            #expect(gone.errorType == "ProvisionedConcurrencyConfigNotFoundException")
            #expect(gone.json as? [String: String]
                == ["Type": "User", "message": "No Provisioned Concurrency Config found for this function"])
            #expect(node.catalog.provisioned().map(\.pinned.version) == [.published(2)])
        }
    }

    @Test(arguments: [
        ("Qualifier=$LATEST", 1, 400, "InvalidParameterValueException",
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."),
        ("Qualifier=live", 1, 404, "ResourceNotFoundException",
            "Cannot find alias arn: \(arn):live. This engine has no aliases; name the number of a published version."),
        ("Qualifier=9", 1, 404, "ResourceNotFoundException", "Function not found: \(arn):9"),
        ("", 1, 400, "ValidationException",
            "1 validation error detected: Value null at 'qualifier' failed to satisfy constraint: Member must not be null"),
        ("Qualifier=1", 0, 400, "ValidationException",
            "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: "
                + "Member must have value greater than or equal to 1"),
        ("Qualifier=1", 6, 400, "InvalidParameterValueException",
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"),
    ])
    func `what cannot be provisioned is refused in AWS's words`(
        query: String, count: Int, status: Int, type: String, message: String
    ) async throws {
        try await LambdaNode.with { node in
            try await node.create("hello", ["Publish": true])
            #expect(try await node.call(.put, Self.reserved(.put), ["ReservedConcurrentExecutions": 5]).status == 200)
            let reply = try await node.call(.put, Self.provisioned(query), ["ProvisionedConcurrentExecutions": count])
            #expect(reply.status == status)
            #expect(reply.errorType == type)
            #expect(reply.message == message)
            #expect(node.catalog.provisioned().isEmpty)
        }
    }

    @Test func `what is provisioned stays within the account's concurrency, and within what is reserved`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello", ["Publish": true])
            func message(_ count: Int) async throws -> String? {
                try await node.call(.put, Self.provisioned("Qualifier=1"), ["ProvisionedConcurrentExecutions": count]).message
            }
            #expect(try await message(1001)
                == "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].")
            #expect(try await message(901)
                == "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
                + "value of [100].")
            #expect(try await message(2) == nil)
            let below = try await node.call(.put, Self.reserved(.put), ["ReservedConcurrentExecutions": 1])
            #expect(below.message
                == " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].")
            let missing = try await node.call(.put, Self.provisioned("Qualifier=1"), ["Other": 1])
            #expect(missing.errorType == "ValidationException")
            let page = try await node.send(.get, Self.provisioned("List=ALL&MaxItems=51"))
            #expect(page.message?.hasSuffix("'maxItems' failed to satisfy constraint: Member must have value less than or equal to 50")
                == true)
        }
    }

    @Test func `an account cannot reserve or provision for another's function`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello", ["Publish": true])
            let theirs = try await node.call(.put, Self.reserved(.put), ["ReservedConcurrentExecutions": 1], as: node.other)
            #expect(theirs.status == 404)
            let byARN = try await node.call(
                .put, Self.provisioned("Qualifier=1", Self.arn.replacingOccurrences(of: ":", with: "%3A")),
                ["ProvisionedConcurrentExecutions": 1], as: node.other)
            #expect(byARN.status == 403)
            #expect(byARN.errorType == "AccessDeniedException")
            #expect(node.catalog.provisioned().isEmpty)
            #expect(try node.catalog.concurrency(of: node.account.account, region: LambdaNode.region).unreserved == 1000)
        }
    }
}
