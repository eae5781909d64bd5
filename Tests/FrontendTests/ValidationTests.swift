import EngineCore
@testable import Frontend
import FunctionCatalog
import NIOCore
import Testing

@Suite struct ValidationTests {
    private static let name = "hello"

    @Test(arguments: [
        ("hello", nil, nil, nil), ("hello:1", nil, nil, "1"), ("hello:$LATEST", nil, nil, "$LATEST"),
        ("123456789012:function:hello", nil, "123456789012", nil), ("123456789012:function:hello:2", nil, "123456789012", "2"),
        ("arn:aws:lambda:eu-central-1:123456789012:function:hello", "eu-central-1", "123456789012", nil),
        ("arn:aws:lambda:eu-central-1:123456789012:function:hello:$LATEST", "eu-central-1", "123456789012", "$LATEST"),
        ("arn:aws:lambda:eu-central-1:123456789012:function:hello:live", "eu-central-1", "123456789012", "live"),
        ("arn:aws-cn:lambda:us-gov-west-1:123456789012:function:hello:3", "us-gov-west-1", "123456789012", "3"),
        ("function:hello", nil, nil, nil),
    ])
    func `a function is named in all the ways of the API`(
        text: String, region: String?, account: String?, qualifier: String?
    ) throws {
        let reference = try FunctionReference(text)
        #expect(reference.name == Self.name)
        #expect(reference.region == region)
        #expect(reference.account?.description == account)
        #expect(reference.qualifier == qualifier)
    }

    @Test(arguments: ["", "a b", "a/b", "invalid:function:name", "a:b:c:d", "arn:aws:s3:::x", "a:", ":a", "é"])
    func `what is no name is refused with the pattern`(text: String) throws {
        let error = try #require(throws: LambdaError.self) { try FunctionReference(text) }
        #expect(error.code == .validation)
        #expect(error.message.contains(
            "Value '\(text)' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern"))
    }

    @Test func `qualifiers of name and query must agree`() throws {
        #expect(try FunctionReference("hello:1", queryQualifier: "1").qualifier == "1")
        #expect(throws: LambdaError.qualifierMismatch) { try FunctionReference("hello:1", queryQualifier: "2") }
        let error = try #require(throws: LambdaError.self) {
            try FunctionReference("hello", queryQualifier: "invalid-qualifier-with-?-char")
        }
        #expect(error.message == #"1 validation error detected: Value 'invalid-qualifier-with-?-char' at 'qualifier' failed to satisfy "#
            + #"constraint: Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"#)
    }

    /// The texts are AWS's own, recorded from the real service.
    @Test func `a name that is too long is refused in AWS's words`() throws {
        let error = try #require(throws: LambdaError.self) { try FunctionReference(String(repeating: "a", count: 65)) }
        #expect(error.code == .invalidParameterValue)
        #expect(error.message == "1 validation error detected: Value '\(String(repeating: "a", count: 65))' at 'functionName' failed to "
            + "satisfy constraint: Member must have length less than or equal to 64")
        let longer = try #require(throws: LambdaError.self) { try FunctionReference(String(repeating: "a", count: 141)) }
        #expect(longer.code == .validation)
        #expect(longer.message.hasSuffix(
            "at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 140"))
    }

    private func settings(_ json: String, isNew: Bool = false) throws -> FunctionSettingsRequest {
        try FunctionSettingsRequest(
            try RequestObject(ByteBuffer(string: json)), isNew: isNew,
            runtimes: [
                KnownRuntime(identifier: "python3.13", needsHandler: true),
                KnownRuntime(identifier: "provided.al2023", needsHandler: false),
            ], limits: LambdaLimits())
    }

    @Test(arguments: [
        (#"{"Role":"r1"}"#, "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy "
            + #"regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"#),
        (#"{"Timeout":0}"#, "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
            + "Member must have value greater than or equal to 1"),
        (#"{"Timeout":901}"#, "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            + "Member must have value less than or equal to 900"),
        (#"{"MemorySize":127,"EphemeralStorage":{"Size":10241}}"#,
            "2 validation errors detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value "
            + "greater than or equal to 128; Value '10241' at 'ephemeralStorage.size' failed to satisfy constraint: "
            + "Member must have value less than or equal to 10240"),
        (#"{"Architectures":["X86_64"]}"#, "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: "
            + "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"),
        (#"{"Architectures":["x86_64","arm64"]}"#, "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to "
            + "satisfy constraint: Member must have length less than or equal to 1"),
        (#"{"Handler":"a b"}"#, #"1 validation error detected: Value 'a b' at 'handler' failed to satisfy constraint: "#
            + #"Member must satisfy regular expression pattern: [^\s]+"#),
        (#"{"Environment":{"Variables":{"1a":"x"}}}"#, "1 validation error detected: Value '{1a=x}' at 'environment.variables' failed to "
            + "satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
            + "[a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"),
    ])
    func `what breaks the service model is refused in AWS's words`(json: String, message: String) throws {
        let error = try #require(throws: LambdaError.self) { try settings(json) }
        #expect(error.code == .validation)
        #expect(error.message == message)
    }

    @Test(arguments: [
        (#"{"Runtime":"non-existent-runtime"}"#, "Value non-existent-runtime at 'runtime' failed to satisfy constraint: Member must "
            + "satisfy enum value set: [python3.13, provided.al2023] or be a valid ARN"),
        (#"{"Environment":{"Variables":{"AWS_REGION":"x","_HANDLER":"y"}}}"#, "Lambda was unable to configure your environment variables "
            + "because the environment variables you have provided contains reserved keys that are currently not supported for "
            + "modification. Reserved keys used in this request: AWS_REGION, _HANDLER"),
        (#"{"PackageType":"Image"}"#, "PackageType Image is not supported by this engine. Use Zip."),
        (#"{"Layers":["arn:x"]}"#, "Layers is not supported by this engine. Put what they hold into the package."),
        (#"{"FileSystemConfigs":[{"Arn":"x"}]}"#, "FileSystemConfigs is not supported by this engine. Leave it out."),
    ])
    func `what cannot be is refused with its reason`(json: String, message: String) throws {
        let error = try #require(throws: LambdaError.self) { try settings(json) }
        #expect(error.code == .invalidParameterValue)
        #expect(error.message == message)
    }

    @Test(arguments: [
        (#"[]"#, "Wayside is not a structure."), (#""x""#, "Wayside is not a structure."),
        (#"{"Egres":[]}"#, "Wayside has no member 'Egres'."), (#"{"Isolation":"shared"}"#, "Wayside has no member 'Isolation'."),
        (#"{"Egress":"a:1"}"#, "Egress of Wayside is not a list of Strings."),
        (#"{"Egress":[1]}"#, "Egress of Wayside is not a list of Strings."),
        (#"{"Egress":["ok.example:443","no port:x"]}"#, "no port:x"), (#"{"Egress":["10.0.0.1/8:443"]}"#, "10.0.0.1/8:443"),
        (#"{"SystemCalls":{}}"#, "SystemCalls of Wayside is not a list of Strings."),
        (#"{"SystemCalls":[]}"#, "SystemCalls of Wayside is empty"), (#"{"SystemCalls":["read",""]}"#, "'' in SystemCalls of Wayside"),
        (#"{"Latency":"soon"}"#, "Latency of Wayside is 'soon'. Give high, normal, low."),
        (#"{"SystemCalls":["Read"]}"#, "'Read' in SystemCalls of Wayside"),
        (#"{"SystemCalls":["\#(String(repeating: "a", count: 64))"]}"#, "in SystemCalls of Wayside"),
        (#"{"SystemCalls":[\#(Array(repeating: #""read""#, count: 513).joined(separator: ","))]}"#, "has 513 names; 512 are the most"),
        (#"{"Egress":[\#((0..<65).map { "\"a\($0).example:1\"" }.joined(separator: ","))]}"#, "65 egress entries, 64 at most"),
    ])
    func `what a sandbox cannot be told is refused and named`(member: String, text: String) throws {
        let error = try #require(throws: LambdaError.self) { try settings(#"{"Wayside":\#(member)}"#) }
        #expect(error.code == .invalidParameterValue)
        #expect(error.message.contains(text), "\(error.message)")
    }

    @Test func `what is not said of the sandbox stays, null takes a profile away, and each name counts once`() throws {
        var kept = FunctionSettings(runtime: "r", handler: "h", role: "r", egress: ["a.example:1"], systemCalls: ["read"])
        for json in ["{}", #"{"Wayside":null}"#, #"{"Wayside":{}}"#, #"{"Wayside":{"Egress":null}}"#] {
            try settings(json).apply(to: &kept)
            #expect(kept.egress == ["a.example:1"] && kept.systemCalls == ["read"], "\(json)")
        }
        try settings(#"{"Wayside":{"SystemCalls":["write","read","write"]}}"#).apply(to: &kept)
        #expect(kept.egress == ["a.example:1"] && kept.systemCalls == ["write", "read"])
        try settings(#"{"Wayside":{"Egress":[],"SystemCalls":null}}"#).apply(to: &kept)
        #expect(kept.egress.isEmpty && kept.systemCalls == nil)
    }

    @Test func `what is said of placement replaces what was said, member by member`() throws {
        var kept = FunctionSettings(runtime: "python3.11", handler: "a.b", role: "r")
        try settings(#"{"Wayside":{"Idempotent":true,"ServeStale":true,"Latency":"high"}}"#).apply(to: &kept)
        #expect(kept.placement == PlacementRule(isIdempotent: true, servesStale: true, latency: .high))
        try settings(#"{"Wayside":{"Idempotent":false,"Latency":null}}"#).apply(to: &kept)
        #expect(kept.placement == PlacementRule(isIdempotent: false, servesStale: true, latency: .high))
    }

    @Test func `the environment may have 4096 bytes as compact JSON`() throws {
        func json(_ count: Int) -> String {
            #"{"Environment":{"Variables":{"LARGE_VAR":""# + String(repeating: "x", count: count) + #""}}}"#
        }
        #expect(try settings(json(4096 - 16)).environment?.count == 1)
        let error = try #require(throws: LambdaError.self) { try settings(json(4096 - 15)) }
        #expect(error.message.hasPrefix("Lambda was unable to configure your environment variables because the environment variables you "
            + #"have provided exceeded the 4KB limit. String measured: {"LARGE_VAR":"xxx"#))
    }

    @Test func `members that say what holds anyway are accepted`() throws {
        let request = try settings(
            #"{"TracingConfig":{"Mode":"PassThrough"},"Layers":[],"VpcConfig":{"SubnetIds":[]},"DeadLetterConfig":{"TargetArn":""},"#
                + #""SnapStart":{"ApplyOn":"None"},"LoggingConfig":{"LogFormat":"Text"},"PackageType":"Zip","Unknown":1}"#)
        #expect(request.runtime == nil)
    }

    @Test func `a new function names its role, runtime and, where one is needed, its handler`() throws {
        let role = "arn:aws:iam::123456789012:role/r"
        #expect(try settings(#"{"Role":"\#(role)","Runtime":"provided.al2023"}"#, isNew: true).new.handler.isEmpty)
        #expect(throws: LambdaError.self) { try settings(#"{"Role":"\#(role)","Runtime":"python3.13"}"#, isNew: true) }
        let error = try #require(throws: LambdaError.self) { try settings("{}", isNew: true) }
        #expect(error.message == "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null")
    }
}
