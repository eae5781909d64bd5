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
        let abandoned = Mutex<[String]>([])
        /// What happens while a change waits.
        let meanwhile = Mutex<@Sendable ([PinnedVersion]) -> Void>({ _ in })

        func note(_ versions: [PinnedVersion]) { abandoned.withLock { $0 += versions.map(\.revision) } }

        var replicate: @Sendable ([PinnedVersion]) async throws(InvocationError) -> Void {
            { (versions) async throws(InvocationError) in
                self.asked.withLock { $0.append(versions) }
                self.meanwhile.withLock { $0 }(versions)
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
            #expect(node.changes.list.allSatisfy { $0.superseded.isEmpty })
            // The package that was uploaded in vain is named, and goes when nothing runs from it; the one in use does not.
            node.server.removeUnreferencedBundles(Set(node.changes.list.flatMap(\.unreferenced)))
            let key = try #require(try node.catalog.keys(named: "hello", account: nil, region: nil).first)
            #expect(node.bundles.contains(try node.catalog.pinned(key, .latest).codeDigest))
            let digests = regions.asked.withLock { Set($0.joined().map(\.codeDigest)) }
            #expect(digests.filter { node.bundles.contains($0) }.count == 1)

            regions.areThere.withLock { $0 = true }
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", Self.update).status == 200)
            #expect(try await node.send(.post, "\(Self.functions)/hello/versions").json["Version"] as? String == "1")
        }
    }

    @Test func `PLACE-02 what regions were sent for a change that is not made is told of`() async throws {
        let regions = Regions()
        try await LambdaNode.with(replicate: regions.replicate, abandoned: { regions.note($0) }) { node in
            try await node.create("hello")
            #expect(regions.abandoned.withLock { $0 } == [])
            regions.areThere.withLock { $0 = false }
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", Self.update).status == 503)
            regions.areThere.withLock { $0 = true }
            // The regions hold it, and somebody else has changed the function meanwhile.
            regions.meanwhile.withLock {
                $0 = { versions in
                    if let key = versions.first?.key { _ = try? node.catalog.updateSettings(key, expecting: nil) { $0.description = "x" } }
                }
            }
            #expect(try await node.call(.put, "\(Self.functions)/hello/configuration", ["Timeout": 9]).status == 409)
            let asked = regions.asked.withLock { $0.dropFirst().joined().map(\.revision) }
            #expect(asked.count == 2 && regions.abandoned.withLock { $0 } == asked)
        }
    }

    @Test func `a package stays while it is deployed, and is named when that fails`() async throws {
        let regions = Regions()
        try await LambdaNode.with(replicate: regions.replicate) { node in
            try await node.create("hello")
            regions.areThere.withLock { $0 = false }
            let stayed = Mutex<[Bool]>([])
            regions.meanwhile.withLock {
                $0 = { versions in
                    for digest in versions.map(\.codeDigest) {
                        node.server.removeUnreferencedBundles([digest])
                        stayed.withLock { $0.append(node.bundles.contains(digest)) }
                    }
                }
            }
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", Self.update).status == 503)
            #expect(stayed.withLock { $0 } == [true])
            // Others may run from it: whoever knows that removes it.
            let named = node.changes.list.flatMap(\.unreferenced)
            #expect(named.count == 1 && named.allSatisfy { node.bundles.contains($0) })
            node.server.removeUnreferencedBundles(Set(named))
            #expect(!named.contains { node.bundles.contains($0) })
        }
    }

    @Test func `a rehearsed update names its package, and removes nothing itself`() async throws {
        try await LambdaNode.with { node in
            try await node.create("hello")
            let rehearsal = Self.update.merging(["DryRun": true]) { $1 }
            #expect(try await node.call(.put, "\(Self.functions)/hello/code", rehearsal).status == 200)
            let named = node.changes.list.flatMap(\.unreferenced)
            #expect(named.count == 1 && named.allSatisfy { node.bundles.contains($0) })
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
