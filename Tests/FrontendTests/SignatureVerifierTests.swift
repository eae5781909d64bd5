import Crypto
import EngineCore
import Frontend
import HTTPTypes
import Testing

/// The signature was made with botocore 1.43.11's Lambda client, its clock fixed at 2026-01-02T03:04:05Z (epoch 1767323045).
@Suite struct SignatureVerifierTests {
    private static let epoch: Int64 = 1_767_323_045
    private static let path = "/2015-03-31/functions/hello/invocations"
    private static let scope = "AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/lambda/aws4_request"
    private static let signature = "9712c3117180a3faabd74fb1361cdc376187adae5ec84e7b7f78fff9e55e1389"

    private static func authorization(scope: String = scope, signature: String = signature) -> String {
        "AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders=host;x-amz-date, Signature=\(signature)"
    }

    private func verify(
        body: String = #"{"a":1}"#, path: String = path, now: Int64 = epoch, skewSeconds: Int64 = 300,
        authorization: String? = Self.authorization(), headers: [String: String] = [:], knowsKey: Bool = true
    ) throws -> AuthenticatedCaller {
        let account = try #require(AccountID("123456789012"))
        let verifier = SignatureVerifier(skewSeconds: skewSeconds) { _ in
            knowsKey ? AccessKey(secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", account: account) : nil
        }
        var request = HTTPRequest(method: .post, scheme: "http", authority: "127.0.0.1:9001", path: path)
        request.headerFields[try #require(HTTPField.Name("X-Amz-Date"))] = "20260102T030405Z"
        for (name, value) in headers { request.headerFields[try #require(HTTPField.Name(name))] = value }
        request.headerFields[.authorization] = authorization
        return try verifier.verify(request, bodyDigest: SHA256.hash(data: Array(body.utf8)), now: now)
    }

    private func refusal(_ attempt: () throws -> AuthenticatedCaller) throws -> LambdaError {
        try #require(#expect(throws: LambdaError.self) { try attempt() })
    }

    @Test func `a request signed by botocore is accepted`() throws {
        let caller = try verify()
        #expect(caller.region == "eu-central-1")
        #expect(caller.account.description == "123456789012")
        #expect(caller.accessKeyID == "AKIAIOSFODNN7EXAMPLE")
    }

    @Test func `another body, path, host date or signature does not match`() throws {
        let other = String(Self.signature.reversed())
        for attempt in [
            { try self.verify(body: "{}") }, { try self.verify(path: "/x") }, { try self.verify(path: Self.path + "?Qualifier=1") },
            { try self.verify(authorization: Self.authorization(signature: other)) },
            { try self.verify(authorization: Self.authorization(signature: "")) },
        ] {
            let error = try refusal(attempt)
            #expect(error.code == .invalidSignature)
            #expect(error.message.hasPrefix("The request signature we calculated does not match"))
        }
    }

    @Test func `a clock that is too far off is named with its bounds`() throws {
        #expect(try refusal { try verify(now: Self.epoch + 301) }.message
            == "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.)")
        #expect(try refusal { try verify(now: Self.epoch - 301) }.message
            == "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.)")
        #expect(try verify(now: Self.epoch + 300).region == "eu-central-1")
        #expect(try verify(now: Self.epoch + 1_000_000_000, skewSeconds: .max).region == "eu-central-1")
    }

    @Test func `an unsigned header that changes what a call means is refused`() throws {
        let error = try refusal { try verify(headers: ["X-Amz-Invocation-Type": "Event"]) }
        #expect(error.code == .invalidSignature)
        #expect(error.message.contains("x-amz-invocation-type"))
    }

    @Test func `no, unknown and incomplete credentials are told apart`() throws {
        #expect(try refusal { try verify(authorization: nil) }.code == .missingAuthenticationToken)
        #expect(try refusal { try verify(knowsKey: false) }.code == .unrecognizedClient)
        #expect(try refusal { try verify(authorization: "Bearer x") }.code == .incompleteSignature)
        #expect(try refusal { try verify(authorization: "AWS4-HMAC-SHA256 Credential=a") }.code == .incompleteSignature)
    }

    @Test(arguments: [
        "AKIAIOSFODNN7EXAMPLE/20260103/eu-central-1/lambda/aws4_request", "AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/s3/aws4_request",
        "AKIAIOSFODNN7EXAMPLE/20260102/eu-central-1/lambda/aws5_request", "AKIAIOSFODNN7EXAMPLE/20260102/eu-west-1/lambda/aws4_request",
    ])
    func `a scope of another day, service, terminator or region is refused`(scope: String) throws {
        #expect(try refusal { try verify(authorization: Self.authorization(scope: scope)) }.code == .invalidSignature)
    }
}
