import ContentDistribution
import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import Synchronization
import Testing

@Suite struct LambdaControlTests {
    private static let functions = "/2015-03-31/functions"
    private static let arn = "arn:aws:lambda:eu-central-1:123456789012:function:hello"

    @Test func `a function is created, read, listed, changed, published and deleted`() async throws {
        try await LambdaNode.with { node in
            let created = try await node.create("hello", ["Tags": ["a": "b"], "Environment": ["Variables": ["KEY": "value"]]])
            #expect(created.status == 201)
            #expect(created.json["FunctionArn"] as? String == Self.arn)
            #expect(created.json["Version"] as? String == "$LATEST")
            #expect(created.json["State"] as? String == "Active")
            #expect(created.json["Timeout"] as? Int == 3)
            #expect(created.json["MemorySize"] as? Int == 128)
            #expect(created.json["Environment"] as? [String: [String: String]] == ["Variables": ["KEY": "value"]])
            #expect((created.json["LastModified"] as? String)?.hasSuffix("+0000") == true)

            let read = try await node.send(.get, "\(Self.functions)/hello")
            #expect(read.status == 200)
            #expect((read.json["Configuration"] as? [String: Any])?["RevisionId"] as? String == created.json["RevisionId"] as? String)
            #expect(read.json["Tags"] as? [String: String] == ["a": "b"])
            #expect((read.json["Code"] as? [String: String])?["RepositoryType"] == "S3")

            let listed = try await node.send(.get, "\(Self.functions)/?MaxItems=10")
            let items = try #require(listed.json["Functions"] as? [[String: Any]])
            #expect(items.map { $0["FunctionName"] as? String } == ["hello"])
            #expect(items.first?["State"] == nil)

            let revision = try #require(created.json["RevisionId"] as? String)
            let updated = try await node.call(
                .put, "\(Self.functions)/hello/configuration",
                ["Timeout": 9, "RevisionId": revision, "Environment": ["Variables": [String: String]()]])
            #expect(updated.status == 200)
            #expect(updated.json["Timeout"] as? Int == 9)
            #expect(updated.json["Environment"] == nil)
            #expect(updated.json["RevisionId"] as? String != revision)
            let stale = try await node.call(.put, "\(Self.functions)/hello/configuration", ["Timeout": 8, "RevisionId": revision])
            #expect(stale.status == 412)
            #expect(stale.message == "The Revision Id provided does not match the latest Revision Id. "
                + "Call the GetFunction/GetAlias API to retrieve the latest Revision Id")

            let published = try await node.send(.post, "\(Self.functions)/hello/versions", Array("{}".utf8))
            #expect(published.status == 201)
            #expect(published.json["FunctionArn"] as? String == "\(Self.arn):1")
            #expect(published.json["Version"] as? String == "1")
            #expect(try await node.send(.post, "\(Self.functions)/hello/versions").json["Version"] as? String == "1")
            let versions = try await node.send(.get, "\(Self.functions)/hello/versions")
            let arns = (versions.json["Versions"] as? [[String: Any]])?.map { $0["FunctionArn"] as? String }
            #expect(arns == ["\(Self.arn):$LATEST", "\(Self.arn):1"])

            #expect(try await node.send(.delete, "\(Self.functions)/hello").status == 204)
            let gone = try await node.send(.get, "\(Self.functions)/hello")
            #expect(gone.status == 404)
            #expect(gone.errorType == "ResourceNotFoundException")
            #expect(gone.json["Message"] as? String == "Function not found: \(Self.arn)")
            #expect(gone.json["Type"] as? String == "User")

            #expect(node.changes.list.count == 2)
            #expect(node.changes.list.first?.superseded.map(\.revision) == [revision])
            let last = try #require(node.changes.list.last)
            #expect(Set(last.superseded.map(\.version)) == [.latest, .published(1)])
            #expect(last.unreferenced.map { node.bundles.contains($0) } == [true])
            node.server.removeUnreferencedBundles(Set(last.unreferenced))
            #expect(last.unreferenced.map { node.bundles.contains($0) } == [false])
        }
    }

    @Test func `what a sandbox is told is answered where it says something, and only there`() async throws {
        try await LambdaNode.with { node in
            let created = try await node.create("hello", ["Wayside": ["Egress": ["api.example.com:443"]]])
            #expect(created.status == 201)
            #expect(created.json["Wayside"] as? [String: [String]] == ["Egress": ["api.example.com:443"]])
            let path = "\(Self.functions)/hello/configuration"
            let changed = try await node.call(.put, path, ["Wayside": ["Egress": [String](), "SystemCalls": ["read", "write"]]])
            #expect(changed.json["Wayside"] as? [String: [String]] == ["SystemCalls": ["read", "write"]])
            let revision = try #require(created.json["RevisionId"] as? String)
            #expect(node.changes.list.last?.superseded.map(\.revision) == [revision])
            let key = try #require(try node.catalog.keys(named: "hello", account: nil, region: nil).first)
            #expect(try node.catalog.pinned(key, .latest).sandbox.systemCalls == ["read", "write"])
            let cleared = try await node.call(.put, path, ["Wayside": ["SystemCalls": NSNull()]])
            #expect(cleared.status == 200 && cleared.json["Wayside"] == nil)
            try node.catalog.setIsolation(.exec, account: key.account)
            #expect(try await node.send(.get, path).json["Wayside"] as? [String: String] == ["Isolation": "exec"])
            let refused = try await node.call(.put, path, ["Wayside": ["Egress": ["*:443"]]])
            #expect(refused.status == 400 && refused.errorType == "InvalidParameterValueException")
            #expect(refused.message?.contains("*:443") == true)
        }
    }

    @Test func `the code is replaced, tried, published and downloaded`() async throws {
        try await LambdaNode.with { node in
            let first = try await node.create("hello")
            let zip = try LambdaNode.zip(["app.py": "x = 2"])
            let text = Data(zip).base64EncodedString()
            let tried = try await node.call(.put, "\(Self.functions)/hello/code", ["ZipFile": text, "DryRun": true])
            #expect(tried.json["CodeSha256"] as? String == first.json["CodeSha256"] as? String)
            let broken = try await node.call(.put, "\(Self.functions)/hello/code", ["ZipFile": "AAAA", "DryRun": true])
            #expect(broken.message == "Could not unzip uploaded file. Please check your file, then try to upload again.")

            let updated = try await node.call(.put, "\(Self.functions)/hello/code", ["ZipFile": text, "Publish": true])
            #expect(updated.status == 200)
            #expect(updated.json["Version"] as? String == "1")
            #expect(updated.json["FunctionArn"] as? String == "\(Self.arn):1")
            #expect(updated.json["CodeSize"] as? Int == zip.count)
            let old = try #require(node.changes.list.last)
            #expect(old.superseded.map(\.revision) == [first.json["RevisionId"] as? String])
            #expect(old.unreferenced.count == 1)

            let read = try await node.send(.get, "\(Self.functions)/hello:1")
            let location = try #require((read.json["Code"] as? [String: String])?["Location"])
            let path = try #require(URL(string: location)?.path)
            let code = try await node.send(.get, path, signed: false)
            #expect(code.status == 200)
            #expect(code.body == zip)
            #expect(code.headers["content-type"] == "application/zip")
            let forged = try await node.send(.get, path.dropLast() + (path.last == "0" ? "1" : "0"), signed: false)
            #expect(forged.status == 403)
        }
    }

    @Test func `a link to code is good for ten minutes and only as it was given`() async throws {
        let passed = Mutex(0.0)
        let clock = LambdaClock(now: { .now() }, epochSeconds: { Date().timeIntervalSince1970 + passed.withLock { $0 } })
        try await LambdaNode.with(clock: clock) { node in
            try await node.create("hello")
            let read = try await node.send(.get, "\(Self.functions)/hello")
            let path = try #require((read.json["Code"] as? [String: String])?["Location"].flatMap { URL(string: $0)?.path })
            var parts = path.split(separator: "/").map(String.init)
            parts[2] = String(try #require(Int(parts[2])) + 1)
            #expect(try await node.send(.get, "/" + parts.joined(separator: "/"), signed: false).status == 403)
            passed.withLock { $0 = 300 }
            #expect(try await node.send(.get, path, signed: false).status == 200)
            passed.withLock { $0 = 601 }
            let late = try await node.send(.get, path, signed: false)
            #expect(late.errorType == "AccessDeniedException")
            #expect(late.message == "The link has expired. Call GetFunction again.")
        }
    }

    @Test func `a link to code begins with the address that clients reach the node by`() async throws {
        try await LambdaNode.with(configure: { $0.publicURL = "https://pop.example.org" }) { node in
            try await node.create("hello")
            let read = try await node.send(.get, "\(Self.functions)/hello")
            #expect((read.json["Code"] as? [String: String])?["Location"]?.hasPrefix("https://pop.example.org/code/") == true)
        }
    }

    @Test func `lists come in pages`() async throws {
        try await LambdaNode.with { node in
            for number in 1...3 { try await node.create("f\(number)") }
            let first = try await node.send(.get, "\(Self.functions)/?MaxItems=2")
            #expect((first.json["Functions"] as? [[String: Any]])?.count == 2)
            let marker = try #require(first.json["NextMarker"] as? String)
            let encoded = try #require(marker.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
            let second = try await node.send(.get, "\(Self.functions)/?MaxItems=2&Marker=\(encoded)")
            #expect((second.json["Functions"] as? [[String: Any]])?.map { $0["FunctionName"] as? String } == ["f3"])
            #expect(second.json["NextMarker"] == nil)
            #expect(try await node.send(.get, "\(Self.functions)/?MaxItems=0").message
                == "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: "
                + "Member must have value greater than or equal to 1")
            #expect(try await node.send(.get, "\(Self.functions)/?Marker=nonsense").errorType == "InvalidParameterValueException")
            #expect(try await node.send(.get, "\(Self.functions)/?FunctionVersion=invalid").message
                == "1 validation error detected: Value 'invalid' at 'functionVersion' failed to satisfy constraint: "
                + "Member must satisfy enum value set: [ALL]")
            let all = try await node.send(.get, "\(Self.functions)/?FunctionVersion=ALL")
            #expect(((all.json["Functions"] as? [[String: Any]])?.first?["FunctionArn"] as? String)?.hasSuffix(":f1:$LATEST") == true)
        }
    }

    @Test func `requests that cannot be are refused in AWS's words`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let twice = try await node.create("hello")
            #expect(twice.status == 409)
            #expect(twice.message == "Function already exist: hello")
            let s3 = try await node.create("s3", ["Code": ["S3Bucket": "b", "S3Key": "k"]])
            #expect(s3.message == "Code in S3 is not supported by this engine. Send the package as ZipFile.")
            let nothing = try await node.create("none", ["Code": ["ZipFile": ""]])
            #expect(nothing.message == "Uploaded file must be a non-empty zip")
            let noZip = try await node.create("bad", ["Code": ["ZipFile": Data("no zip".utf8).base64EncodedString()]])
            #expect(noZip.status == 400)
            #expect(noZip.errorType == "InvalidParameterValueException")
            #expect(noZip.message == "Could not unzip uploaded file. Please check your file, then try to upload again.")
            let latest = try await node.send(.delete, "\(Self.functions)/hello?Qualifier=%24LATEST")
            #expect(latest.message == "$LATEST version cannot be deleted without deleting the function.")
            #expect(try await node.send(.delete, "\(Self.functions)/hello?Qualifier=7").message == "Function not found: \(Self.arn):7")
            let region = try await node.send(.get, "\(Self.functions)/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ahello")
            #expect(region.message == "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')")
            let digest = String(repeating: "a", count: 43) + "="
            let code = try await node.call(.post, "\(Self.functions)/hello/versions", ["CodeSha256": digest])
            #expect(code.message?.hasPrefix("CodeSHA256 (\(digest)) is different from current CodeSHA256 in $LATEST (") == true)
            let garbage = try await node.send(.post, Self.functions, Array("{".utf8))
            #expect(garbage.errorType == "SerializationException")
            #expect(try await node.send(.get, "/2015-03-31/event-source-mappings/").errorType == "UnknownOperationException")
            #expect(try await node.send(.get, "\(Self.functions)/hello/aliases").status == 404)
        }
    }

    @Test func `a tag without a name is refused`() async throws {
        try await LambdaNode.with { node in
            let refused = try await node.create("hello", ["Tags": ["": "v"]])
            #expect(refused.status == 400)
            #expect(refused.errorType == "ValidationException")
            #expect(refused.message == "1 validation error detected: Value '{=v}' at 'tags' failed to satisfy constraint: Map keys must "
                + "satisfy constraint: [Member must have length less than or equal to 128, "
                + "Member must have length greater than or equal to 1, Member must not be null]")
        }
    }

    @Test func `a function for another processor is refused`() async throws {
        #if arch(arm64)
        let (here, other) = ("arm64", "x86_64")
        #else
        let (here, other) = ("x86_64", "arm64")
        #endif
        try await LambdaNode.with { node in
            let message = "Architecture \(other) is not supported by this engine. "
                + "This host is \(here): give Architectures [\(here)] or leave it out."
            let refused = try await node.create("hello", ["Architectures": [other]])
            #expect(refused.status == 400)
            #expect(refused.errorType == "InvalidParameterValueException")
            #expect(refused.message == message)
            #expect(try await node.create("hello", ["Architectures": [here]]).json["Architectures"] as? [String] == [here])
            #expect(try await node.create("bare").json["Architectures"] as? [String] == [here])
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", ["Architectures": [other]]).message == message)
        }
    }

    @Test func `an account sees and touches only its own functions`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let mine = try await node.send(.get, "\(Self.functions)/hello", as: node.other)
            #expect(mine.message == "Function not found: arn:aws:lambda:eu-central-1:210987654321:function:hello")
            let theirs = try await node.send(.get, "\(Self.functions)/123456789012:function:hello", as: node.other)
            #expect(theirs.status == 403)
            #expect(theirs.errorType == "AccessDeniedException")
            #expect(theirs.message == "User: arn:aws:iam::210987654321:root is not authorized to perform: lambda:GetFunction on resource: "
                + Self.arn)
            #expect(try await node.invoke("123456789012:function:hello", as: node.other).status == 403)
            #expect((try await node.send(.get, "\(Self.functions)/", as: node.other).json["Functions"] as? [Any])?.isEmpty == true)
            #expect(try await node.create("hello", as: node.other).status == 201)
            #expect(try await node.send(.delete, "\(Self.functions)/hello", as: node.other).status == 204)
            #expect(try await node.send(.get, "\(Self.functions)/hello").status == 200)
        }
    }

    @Test func `tags, code signing and account settings are read`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello", ["Tags": ["k": "v"]])
            let tags = try await node.send(.get, "/2017-03-31/tags/\(Self.arn.replacing(":", with: "%3A"))")
            #expect(tags.json["Tags"] as? [String: String] == ["k": "v"])
            let signing = try await node.send(.get, "/2020-06-30/functions/hello/code-signing-config")
            #expect(signing.json as? [String: String] == ["FunctionName": "hello"])
            #expect(try await node.send(.get, "/2020-06-30/functions/none/code-signing-config").status == 404)
            let settings = try await node.send(.get, "/2016-08-19/account-settings/")
            #expect((settings.json["AccountUsage"] as? [String: Int])?["FunctionCount"] == 1)
            #expect((settings.json["AccountLimit"] as? [String: Int])?["CodeSizeZipped"] == 52_428_800)
        }
    }
}
