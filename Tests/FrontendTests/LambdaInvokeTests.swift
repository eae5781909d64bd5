import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import NIOCore
import Synchronization
import Testing

@Suite struct LambdaInvokeTests {
    private static let arn = "arn:aws:lambda:eu-central-1:123456789012:function:hello"

    @Test func `an invocation is answered with its result and the headers of the API`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", #"{"a":[1,"é"]}"#)
            #expect(reply.status == 200)
            #expect(reply.text == #"{"a":[1,"é"]}"#)
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.headers["x-amz-executed-version"] == "$LATEST")
            #expect(reply.headers["x-amzn-remapped-content-length"] == "0")
            #expect(RequestID(reply.headers["x-amzn-requestid"] ?? "") != nil)
            #expect(reply.headers["x-amzn-trace-id"]?.hasPrefix("Root=1-") == true)
            #expect(reply.headers["date"]?.hasSuffix("GMT") == true)
            #expect(reply.headers["wayside-site"] == "pop-1")
            #expect(reply.headers["wayside-decision"] == "run")
            #expect(reply.headers["wayside-reason"] == "warm")
            #expect(reply.headers["wayside-start-level"] == "warm")
            #expect(reply.headers["x-amz-function-error"] == nil)
            #expect(reply.headers["x-amz-log-result"] == nil)
        }
    }

    @Test func `the engine is given what the caller sent`() async throws {
        let seen = Mutex<[InvocationRequest]>([])
        let invoke: LambdaNode.Invoke = { (request) throws(InvocationError) in
            seen.withLock { $0.append(request) }
            return .test(request, .success(ByteBuffer(string: "null")))
        }
        try await LambdaNode.with(invoke: invoke, configure: { $0.startAllowance = .seconds(5) }) { node in
            try await node.create("hello", ["Timeout": 7])
            let context = Data(#"{"custom":{}}"#.utf8).base64EncodedString()
            let reply = try await node.invoke(
                "hello:$LATEST".replacing("$", with: "%24"), "",
                headers: ["X-Amz-Client-Context": context, "X-Amzn-Trace-Id": "Root=1-2-3", "X-Amz-Invocation-Type": "RequestResponse"])
            #expect(reply.text == "null")
            #expect(reply.headers["x-amzn-trace-id"] == "Root=1-2-3")
            let request = try #require(seen.withLock { $0.first })
            #expect(request.id.description == reply.headers["x-amzn-requestid"])
            #expect(String(buffer: request.payload) == "{}")
            #expect(request.clientContext == #"{"custom":{}}"#)
            #expect(request.traceID == "Root=1-2-3")
            #expect(request.invokedARN == "\(Self.arn):$LATEST")
            #expect(request.deadline - request.arrival == .seconds(12))
            #expect(request.origin == .client)
            #expect(request.function === (try node.catalog.pinned(request.function.key, .latest)))
        }
    }

    @Test func `a trace id that is too long is replaced`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            for (count, isKept) in [(1024, true), (1025, false)] {
                let given = String(repeating: "a", count: count)
                let answered = try await node.invoke("hello", headers: ["X-Amzn-Trace-Id": given]).headers["x-amzn-trace-id"]
                #expect((answered == given) == isKept)
                #expect(answered?.hasPrefix("Root=1-") == !isKept)
            }
        }
    }

    @Test func `a function's own failure is a result, and its log is answered on request`() async throws {
        let log = String(repeating: "x", count: 5000) + "end"
        let invoke: LambdaNode.Invoke = { (request) throws(InvocationError) in
            .test(request, .functionError(ByteBuffer(string: #"{"errorMessage":"m"}"#)), log: log)
        }
        try await LambdaNode.with(invoke: invoke) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello", headers: ["X-Amz-Log-Type": "Tail"])
            #expect(reply.status == 200)
            #expect(reply.headers["x-amz-function-error"] == "Unhandled")
            #expect(reply.text == #"{"errorMessage":"m"}"#)
            let tail = try #require(reply.headers["x-amz-log-result"].flatMap { Data(base64Encoded: $0) })
            #expect(String(decoding: tail, as: UTF8.self) == log.suffix(4096))
        }
    }

    @Test func `a dry run checks all but runs nothing, and events are refused in so many words`() async throws {
        let invoke: LambdaNode.Invoke = { (request) throws(InvocationError) in
            throw InvocationError(.internalFailure, "It ran.")
        }
        try await LambdaNode.with(invoke: invoke) { node in
            try await node.create("hello")
            let dry = try await node.invoke("hello", headers: ["X-Amz-Invocation-Type": "DryRun"])
            #expect(dry.status == 204)
            #expect(dry.body.isEmpty)
            #expect(try await node.invoke("none", headers: ["X-Amz-Invocation-Type": "DryRun"]).status == 404)
            let event = try await node.invoke("hello", headers: ["X-Amz-Invocation-Type": "Event"])
            #expect(event.errorType == "InvalidParameterValueException")
            #expect(event.message == "InvocationType Event is not supported by this engine. Use RequestResponse.")
            let wrong = try await node.invoke("hello", headers: ["X-Amz-Invocation-Type": "x", "X-Amz-Log-Type": "y"])
            #expect(wrong.message == "2 validation errors detected: Value 'x' at 'invocationType' failed to satisfy constraint: "
                + "Member must satisfy enum value set: [Event, RequestResponse, DryRun]; Value 'y' at 'logType' failed to satisfy "
                + "constraint: Member must satisfy enum value set: [None, Tail]")
        }
    }

    @Test func `what cannot be invoked is refused in AWS's words`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let none = try await node.invoke("none")
            #expect(none.json["Message"] as? String
                == "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:none:$LATEST")
            #expect(try await node.invoke("hello:1").json["Message"] as? String == "Function not found: \(Self.arn):1")
            #expect(try await node.invoke("hello:live").json["Message"] as? String == "Function not found: \(Self.arn):live")
            let notJSON = try await node.invoke("hello", "not json")
            #expect(notJSON.status == 400)
            #expect(notJSON.errorType == "InvalidRequestContentException")
            #expect(notJSON.message?.hasPrefix("Could not parse request body into json: Could not parse payload into json: ") == true)
            let context = try await node.invoke("hello", headers: ["X-Amz-Client-Context": "bm90IGpzb24="])
            #expect(context.message == "Client context must be a valid Base64-encoded JSON object.")
            let long = try await node.invoke("hello", headers: ["X-Amz-Client-Context": String(repeating: "A", count: 3584)])
            #expect(long.errorType == "InvalidRequestContentException")
        }
    }

    @Test func `an event may have 6291456 bytes`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let largest = try await node.invoke("hello", "\"" + String(repeating: "x", count: 6_291_454) + "\"")
            #expect(largest.status == 200)
            #expect(largest.body.count == 6_291_456)
            let larger = try await node.invoke("hello", "\"" + String(repeating: "x", count: 6_291_455) + "\"")
            #expect(larger.status == 413)
            #expect(larger.errorType == "RequestTooLargeException")
            #expect(larger.message == "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
            #expect(try await node.invoke("hello").status == 200)
        }
    }

    @Test(arguments: [
        (.draining, 503, "ServiceUnavailableException"), (.noRegion, 503, "ServiceUnavailableException"),
        (.codeNotCurrent, 503, "ServiceUnavailableException"),
        (.hopLimit, 508, "HopLimitExceededException"), (.codeUnavailable, 502, "InvalidZipFileException"),
        (.launcherLost, 500, "ServiceException"), (.startFailed, 500, "ServiceException"), (.deadlineExceeded, 500, "ServiceException"),
        (.regionFailed, 500, "ServiceException"), (.versionNotHeld, 500, "ServiceException"), (.internalFailure, 500, "ServiceException"),
        (.aborted, 500, "ServiceException"),
    ] as [(InvocationError.Code, Int, String)])
    func `what the engine cannot do is answered by the table`(code: InvocationError.Code, status: Int, name: String) async throws {
        try await Self.failing(code) { reply in
            #expect(reply.status == status)
            #expect(reply.errorType == name)
            #expect(reply.headers["retry-after"] == (status == 503 ? "1" : nil))
            #expect(reply.json as? [String: String] == ["Type": "Service", "Message": "Why and what to do."])
        }
    }

    @Test(arguments: [
        (.overloaded, "ConcurrentInvocationLimitExceeded", "Rate Exceeded."),
        (.reservedConcurrency, "ReservedFunctionConcurrentInvocationLimitExceeded", "Rate Exceeded."),
        (.rejectedByPolicy, "ConcurrentInvocationLimitExceeded", "Why and what to do."),
        (.noPermission, "ConcurrentInvocationLimitExceeded", "Why and what to do."),
        (.variableCapacity, "ConcurrentInvocationLimitExceeded", "Why and what to do."),
    ] as [(InvocationError.Code, String, String)])
    func `each way to get no capacity is a throttled call that names its reason and its code`(
        code: InvocationError.Code, reason: String, message: String
    ) async throws {
        try await Self.failing(code) { reply in
            #expect(reply.status == 429)
            #expect(reply.errorType == "TooManyRequestsException")
            #expect(reply.headers["retry-after"] == "1")
            #expect(reply.json as? [String: String] == ["Type": "User", "Reason": reason, "message": message])
        }
    }

    @Test func `a call whose required container cannot serve it is answered 412, which clients do not repeat`() async throws {
        try await Self.failing(.affinity) { reply in
            #expect(reply.status == 412)
            #expect(reply.errorType == "PreconditionFailedException")
            #expect(reply.headers["retry-after"] == nil)
            #expect(reply.json as? [String: String] == ["Type": "User", "message": "Why and what to do."])
        }
    }

    @Test func `every error of the engine has an answer that its certainty about the handler fits`() {
        for code in InvocationError.Code.allCases {
            let error = InvocationError(code, "Why and what to do.")
            let row = LambdaError(error).code.row
            // Nobody may be told that it is their own fault, or to try again at once, when the handler may have run.
            if !error.surelyNotStarted { #expect(row.status == 500) }
        }
    }

    /// Calls a function whose engine fails so.
    private static func failing(_ code: InvocationError.Code, _ check: (LambdaReply) throws -> Void) async throws {
        let invoke: LambdaNode.Invoke = { (_) throws(InvocationError) in throw InvocationError(code, "Why and what to do.") }
        try await LambdaNode.with(invoke: invoke) { node in
            try await node.create("hello")
            let reply = try await node.invoke("hello")
            #expect(reply.headers["wayside-error"] == code.rawValue)
            try check(reply)
        }
    }

    @Test func `requests that are not signed, or not by today's clock, are refused`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let path = "/2015-03-31/functions/hello/invocations"
            let unsigned = try await node.send(.post, path, Array("{}".utf8), signed: false)
            #expect(unsigned.status == 403)
            #expect(unsigned.errorType == "MissingAuthenticationTokenException")
            #expect(unsigned.json as? [String: String] == ["message": "Missing Authentication Token"])
            let old = try await node.send(.post, path, Array("{}".utf8), at: Date().timeIntervalSince1970 - 400)
            #expect(old.errorType == "InvalidSignatureException")
            #expect(old.message?.hasPrefix("Signature expired: ") == true)
            #expect(RequestID(old.headers["x-amzn-requestid"] ?? "") != nil)
        }
        try await LambdaNode.with(configure: { $0.clockSkewSeconds = SignatureVerifier.skewSecondsMax }) { node in
            let frozen = try await node.send(.get, "/2015-03-31/functions/", at: 1_420_070_400)
            #expect(frozen.status == 200)
        }
    }
}
