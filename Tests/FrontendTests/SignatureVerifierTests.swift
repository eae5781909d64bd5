import Crypto
import EngineCore
import Frontend
import HTTPTypes
import Synchronization
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
        method: HTTPRequest.Method = .post, body: String = #"{"a":1}"#, path: String = path, now: Int64 = epoch,
        skewSeconds: Int64 = 300, regions: Set<String> = [], authorization: String? = Self.authorization(),
        headers: [String: String] = [:], knowsKey: Bool = true
    ) throws -> AuthenticatedCaller {
        let account = try #require(AccountID("123456789012"))
        let verifier = SignatureVerifier(skewSeconds: skewSeconds, regions: regions) { _ in
            knowsKey ? AccessKey(secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", account: account) : nil
        }
        var request = HTTPRequest(method: method, scheme: "http", authority: "127.0.0.1:9001", path: path)
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

    /// Signed by botocore 1.43.11 as well: an ARN that is encoded once on the wire and twice in the canonical request, a query that
    /// is sorted and keeps its encoding, a header whose blanks are taken together.
    @Test(arguments: [
        SignedByBotocore(
            method: .post, body: #"{"a":1}"#,
            path: "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Ahello%3A%24LATEST/invocations",
            headers: ["X-Amz-Log-Type": "Tail", "X-Amz-Invocation-Type": "RequestResponse"],
            signedHeaders: "host;x-amz-date;x-amz-invocation-type;x-amz-log-type",
            signature: "dd765200ef208b7d7686a90a93de6216f7d111c2d4b17bce6e6b8e6a1e35b0a0"),
        SignedByBotocore(
            method: .get, body: "", path: "/2015-03-31/functions/?MaxItems=10&FunctionVersion=ALL&Marker=a%2Fb%2Bc%3D%3D",
            headers: [:], signedHeaders: "host;x-amz-date",
            signature: "63fa04041175e045f06fc1c84c9bb22df6380960f9ed491006269dbbb291655b"),
        SignedByBotocore(
            method: .post, body: "{}", path: "/2015-03-31/functions/hello/invocations?Qualifier=%24LATEST",
            headers: ["X-Amz-Client-Context": "  a   b  "], signedHeaders: "host;x-amz-client-context;x-amz-date",
            signature: "d47f08ea329af8d7fadf9dd84bf3f74b6314e1e1eaa03f2c19a667b8e71c129f"),
        // The same query with its encoding spelled otherwise, which is the same canonical request.
        SignedByBotocore(
            method: .get, body: "", path: "/2015-03-31//functions/./?Marker=a%2fb%2bc%3d=&%4DaxItems=10&FunctionVersion=ALL",
            headers: [:], signedHeaders: "host;x-amz-date",
            signature: "63fa04041175e045f06fc1c84c9bb22df6380960f9ed491006269dbbb291655b"),
    ])
    func `paths, queries and headers are made canonical as botocore makes them`(request: SignedByBotocore) throws {
        let authorization = Self.authorization(signature: request.signature)
            .replacing("SignedHeaders=host;x-amz-date", with: "SignedHeaders=\(request.signedHeaders)")
        let caller = try verify(
            method: request.method, body: request.body, path: request.path, authorization: authorization, headers: request.headers)
        #expect(caller.region == "eu-central-1")
    }

    @Test func `temporary credentials are refused in so many words`() throws {
        let error = try refusal {
            try verify(
                authorization: Self.authorization().replacing("host;x-amz-date", with: "host;x-amz-date;x-amz-security-token"),
                headers: ["X-Amz-Security-Token": "t"])
        }
        #expect(error.code == .unrecognizedClient)
        #expect(error.message.contains("Temporary credentials"))
    }

    @Test func `only the permitted regions are accepted, if any are named`() throws {
        #expect(try verify(regions: ["eu-central-1"]).region == "eu-central-1")
        #expect(try refusal { try verify(regions: ["us-east-1"]) }.message == "Credential should be scoped to a valid region.")
    }

    @Test func `a Date header serves where there is no X-Amz-Date`() throws {
        let account = try #require(AccountID("123456789012"))
        let verifier = SignatureVerifier { _ in AccessKey(secret: "secret", account: account) }
        var request = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/")
        request.headerFields[.date] = "Fri, 02 Jan 2026 03:04:05 GMT"
        let digest = SHA256.hash(data: [UInt8]())
        // Made by hand from the definition: nothing of the verifier is used.
        let canonical = "GET\n/\n\ndate:Fri, 02 Jan 2026 03:04:05 GMT\nhost:localhost\n\ndate;host\n"
            + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        var key = SymmetricKey(data: Array("AWS4secret".utf8))
        for part in ["20260102", "eu-central-1", "lambda", "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        let text = "AWS4-HMAC-SHA256\n20260102T030405Z\n20260102/eu-central-1/lambda/aws4_request\n"
            + hex(SHA256.hash(data: Array(canonical.utf8)))
        let signature = hex(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        request.headerFields[.authorization] =
            "AWS4-HMAC-SHA256 Credential=AKIA/20260102/eu-central-1/lambda/aws4_request, SignedHeaders=date;host, Signature=\(signature)"
        #expect(try verifier.verify(request, bodyDigest: digest, now: Self.epoch).account == account)
        request.headerFields[.date] = "Sat, 31 Feb 2026 03:04:05 GMT"
        #expect(throws: LambdaError.self) { try verifier.verify(request, bodyDigest: digest, now: Self.epoch) }
    }

    @Test func `a request is accepted again from the cache, but not after its key changed`() throws {
        let account = try #require(AccountID("123456789012"))
        let secrets = Mutex("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
        let verifier = SignatureVerifier { _ in AccessKey(secret: secrets.withLock { $0 }, account: account) }
        var request = HTTPRequest(method: .post, scheme: "http", authority: "127.0.0.1:9001", path: Self.path)
        request.headerFields[try #require(HTTPField.Name("X-Amz-Date"))] = "20260102T030405Z"
        request.headerFields[.authorization] = Self.authorization()
        let digest = SHA256.hash(data: Array(#"{"a":1}"#.utf8))
        for _ in 0..<2 { #expect(try verifier.verify(request, bodyDigest: digest, now: Self.epoch).account == account) }
        secrets.withLock { $0 = "another" }
        #expect(throws: LambdaError.self) { try verifier.verify(request, bodyDigest: digest, now: Self.epoch) }
    }
}

struct SignedByBotocore: CustomTestStringConvertible {
    let method: HTTPRequest.Method
    let body, path: String
    let headers: [String: String]
    let signedHeaders, signature: String
    var testDescription: String { path }
}
