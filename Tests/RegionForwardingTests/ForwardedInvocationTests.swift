import EngineCore
import HTTPTypes
import RegionForwarding
import Testing

@Suite struct ForwardedInvocationTests {
    static func fields(_ changes: [String: String?] = [:]) throws -> HTTPFields {
        let request = try Sample.request(clientContext: "{\"custom\":{\"ä\":1}}")
        var fields = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival).fields
        for (name, value) in changes { fields[try #require(HTTPField.Name(name))] = value }
        return fields
    }

    @Test func `PLACE-19 a forwarded call carries id, account, pinned version, remaining time, hops, origin and reason`() throws {
        let request = try Sample.request(clientContext: "{\"custom\":{\"ä\":1}}", deadline: .milliseconds(2500))
        let sent = ForwardedInvocation(
            request, reason: .noCapacity, origin: "pop-1", now: request.arrival + .microseconds(1_000_500))
        let received = try ForwardedInvocation(fields: sent.fields)
        #expect(received == sent)
        #expect(received.remainingMilliseconds == 1499)
        #expect(received.hops == 1)
        #expect(received.reason == .noCapacity)

        let arrival = EngineInstant(nanoseconds: 5_000_000_000)
        let there = received.request(of: request.function, payload: request.payload, arrival: arrival)
        #expect(there.id == request.id)
        #expect(there.function === request.function)
        #expect(there.invokedARN == request.invokedARN)
        #expect(there.clientContext == request.clientContext)
        #expect(there.traceID == request.traceID)
        #expect(there.deadline - arrival == .milliseconds(1499))
        #expect(there.origin == .peer(node: "pop-1", hops: 1))
    }

    @Test func `PLACE-18 every hop counts, and one too many is refused`() throws {
        let request = try Sample.request(origin: .peer(node: "pop-2", hops: 1))
        let forwarded = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival)
        #expect(forwarded.hops == 2)
        try forwarded.admit(hopsMax: 2)
        #expect { try forwarded.admit(hopsMax: 1) } throws: { ($0 as? InvocationError)?.code == .hopLimit }
    }

    @Test(arguments: [0, -1])
    func `a call without time left is refused`(remaining: Int) throws {
        let forwarded = try ForwardedInvocation(fields: Self.fields(["wayside-remaining-ms": "\(remaining)"]))
        #expect { try forwarded.admit(hopsMax: 1) } throws: { ($0 as? InvocationError)?.code == .deadlineExceeded }
    }

    @Test(arguments: [
        "wayside-request-id", "wayside-account", "wayside-function-region", "wayside-function-name", "wayside-version",
        "wayside-revision",
        "wayside-invoked-arn", "wayside-remaining-ms", "wayside-hops", "wayside-origin", "wayside-reason", "wayside-trace-id",
    ])
    func `a call that lacks, repeats or overfills a field is refused by name`(name: String) throws {
        let field = try #require(HTTPField.Name(name))
        var repeated = try Self.fields()
        let value = try #require(repeated[field])
        repeated.append(HTTPField(name: field, value: value))
        let long = String(repeating: "a", count: 1025)
        for fields in [try Self.fields([name: nil]), repeated, try Self.fields([name: ""]), try Self.fields([name: long])] {
            #expect {
                try ForwardedInvocation(fields: fields)
            } throws: { error in
                (error as? ForwardingError)?.code == .invalidRequest && "\(error)".contains(name)
            }
        }
    }

    @Test(arguments: [
        ("wayside-request-id", "7"), ("wayside-account", "12345678901"), ("wayside-version", "0"), ("wayside-remaining-ms", "1.5"),
        ("wayside-remaining-ms", "86400001"), ("wayside-hops", "0"), ("wayside-hops", "-3"), ("wayside-origin", "Pop 1"),
        ("wayside-reason", "whim"), ("wayside-client-context", "not base64"),
    ])
    func `a call with a value that cannot be is refused by the field's name`(name: String, value: String) throws {
        let fields = try Self.fields([name: value])
        #expect {
            try ForwardedInvocation(fields: fields)
        } throws: { error in
            (error as? ForwardingError)?.code == .invalidRequest && "\(error)".contains(name)
        }
    }

    @Test(arguments: [nil, "", "0", "2", "1, 1"])
    func `another version of the protocol is refused`(version: String?) throws {
        let fields = try Self.fields(["wayside-protocol": version])
        #expect { try ForwardedInvocation(fields: fields) } throws: { ($0 as? ForwardingError)?.code == .unsupportedProtocol }
    }

    @Test func `a client context over its limit is refused, one at it is not`() throws {
        let largest = String(repeating: "A", count: 8 << 10)
        #expect(
            try ForwardedInvocation(fields: Self.fields(["wayside-client-context": largest])).clientContext?.utf8.count == 6 << 10)
        let more = try Self.fields(["wayside-client-context": largest + "AAAA"])
        #expect { try ForwardedInvocation(fields: more) } throws: { ($0 as? ForwardingError)?.code == .invalidRequest }
    }

    @Test func `a call without client context has none there`() throws {
        #expect(try ForwardedInvocation(fields: Self.fields(["wayside-client-context": nil])).clientContext == nil)
    }
}
