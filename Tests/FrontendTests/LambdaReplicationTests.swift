import ContentDistribution
import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import Synchronization
import Testing

/// Changes wait until regions hold what they make.
@Suite struct LambdaReplicationTests {
    private static let functions = "/2015-03-31/functions"

    /// What was to be replicated, and whether that succeeds.
    private final class Regions: Sendable {
        let asked = Mutex<[[PinnedVersion]]>([])
        let areThere = Mutex(true)

        var replicate: @Sendable ([PinnedVersion]) async throws(InvocationError) -> Void {
            { (versions) async throws(InvocationError) in
                self.asked.withLock { $0.append(versions) }
                guard self.areThere.withLock({ $0 }) else { throw InvocationError(.codeNotCurrent, "The change was not made. Try again.") }
            }
        }
    }

    private static var update: [String: Any] {
        let zip = (try? LambdaNode.zip(["app.py": "def handler(event, context): return 2"])) ?? []
        return ["ZipFile": Data(zip).base64EncodedString()]
    }

    @Test func `PLACE-09 every change that makes a version is replicated under the revision it is then answered with`() async throws {
        let regions = Regions()
        try await LambdaNode.with(replicate: regions.replicate) { node in
            let answers = [
                try await node.create("hello"), try await node.call(.put, "\(Self.functions)/hello/code", Self.update),
                try await node.call(.put, "\(Self.functions)/hello/configuration", ["Timeout": 9]),
                try await node.send(.post, "\(Self.functions)/hello/versions", Array("{}".utf8)),
            ]
            #expect(answers.map(\.status) == [201, 200, 200, 201])
            let asked = regions.asked.withLock { $0 }
            #expect(asked.map { $0.map(\.version) } == [[.latest], [.latest], [.latest], [.published(1)]])
            #expect(asked.map { $0.last?.revision } == answers.map { $0.json["RevisionId"] as? String })
        }
    }

    @Test func `PLACE-09 a change that regions do not take leaves what was there, and a repetition makes it`() async throws {
        let regions = Regions()
        try await LambdaNode.with(replicate: regions.replicate) { node in
            let created = try await node.create("hello")
            regions.areThere.withLock { $0 = false }
            let failed = [
                try await node.create("other"), try await node.call(.put, "\(Self.functions)/hello/code", Self.update),
                try await node.call(.put, "\(Self.functions)/hello/configuration", ["Timeout": 9]),
                try await node.send(.post, "\(Self.functions)/hello/versions", Array("{}".utf8)),
            ]
            for answer in failed {
                #expect(answer.status == 503 && answer.errorType == "ServiceUnavailableException")
                #expect(answer.message == "The change was not made. Try again.")
                #expect(answer.headers["retry-after"] == "1")
            }
            #expect(try await node.send(.get, "\(Self.functions)/other").status == 404)
            let now = try await node.send(.get, "\(Self.functions)/hello/configuration")
            #expect(now.json["RevisionId"] as? String == created.json["RevisionId"] as? String)
            #expect(node.changes.list.isEmpty)
            // The package that was uploaded in vain is gone, the one in use is not.
            let key = try #require(try node.catalog.keys(named: "hello", account: nil, region: nil).first)
            #expect(node.bundles.contains(try node.catalog.pinned(key, .latest).codeDigest))
            let digests = regions.asked.withLock { Set($0.joined().map(\.codeDigest)) }
            #expect(digests.filter { node.bundles.contains($0) }.count == 1)

            regions.areThere.withLock { $0 = true }
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", Self.update).status == 200)
            #expect(try await node.send(.post, "\(Self.functions)/hello/versions").json["Version"] as? String == "1")
        }
    }

    @Test func `a change during which somebody else changes the function is refused as AWS does`() async throws {
        let nodes = Mutex<Catalog?>(nil)
        let replicate: @Sendable ([PinnedVersion]) async throws(InvocationError) -> Void = { versions throws(InvocationError) in
            guard let catalog = nodes.withLock({ $0 }), let key = versions.first?.key else { return }
            guard (try? catalog.updateSettings(key, expecting: nil) { $0.description = "by somebody else" }) != nil else {
                throw InvocationError(.internalFailure, "The other change failed.")
            }
        }
        try await LambdaNode.with(replicate: replicate) { node in
            try await node.create("hello")
            nodes.withLock { $0 = node.catalog }
            let answer = try await node.call(.put, "\(Self.functions)/hello/code", Self.update)
            #expect(answer.status == 409 && answer.errorType == "ResourceConflictException")
            let text = "The operation cannot be performed at this time. An update is in progress for resource: arn:"
            #expect(answer.message?.hasPrefix(text) == true)
        }
    }
}
