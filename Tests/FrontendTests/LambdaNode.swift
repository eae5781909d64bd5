import AsyncHTTPClient
import ContentDistribution
import Crypto
import EngineCore
import Foundation
import Frontend
import FunctionCatalog
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import RegionForwarding
import Synchronization
import SystemPackage
import Testing

/// A server of the API on a port of its own, with a real catalog and a real bundle store in a folder of its own.
///
/// Only the engine behind it is a stand-in: a closure that answers invocations, so that these tests need no sandbox.
struct LambdaNode: Sendable {
    typealias Invoke = @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult

    static let region = "eu-central-1"
    let account: NewAccessKey
    let other: NewAccessKey
    let port: Int
    let server: LambdaServer
    let catalog: Catalog
    let bundles: BundleStore
    let changes: Changes
    /// `http`, or `https` when the node has a certificate.
    let scheme: String
    let client: HTTPClient

    /// What the engine was told.
    final class Changes: Sendable {
        private let all = Mutex<[FunctionChange]>([])
        func add(_ change: FunctionChange) { all.withLock { $0.append(change) } }
        var list: [FunctionChange] { all.withLock { $0 } }
    }

    /// Runs a node while `body` runs. The stand-in answers the event itself unless told otherwise.
    /// - Parameter identity: serves over TLS with this certificate, and trusts its authority.
    static func with(
        invoke: @escaping Invoke = { request throws(InvocationError) in .test(request, .success(request.payload)) },
        begin: InvocationStart? = nil,
        provisionedStatus: @escaping @Sendable (FunctionKey, FunctionVersion) -> ProvisionedStatus = { _, _ in .inProgress },
        replicate: (@Sendable ([PinnedVersion]) async throws(InvocationError) -> Void)? = nil,
        abandoned: @escaping @Sendable ([PinnedVersion]) -> Void = { _ in },
        clock: LambdaClock = .system, identity: NodeIdentity? = nil, tokens: AffinityTokens? = nil, bodies: BodyMemory = BodyMemory(),
        configure: (inout LambdaServerConfiguration) -> Void = { _ in },
        _ body: (LambdaNode) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-lambda-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let catalog = try Catalog(directory: folder.path)
        let bundles = try BundleStore(contentDirectory: FilePath(folder.path).appending("content"))
        let keys = try ["123456789012", "210987654321"].map { text in
            let account = try #require(AccountID(text))
            try catalog.createAccount(account, name: "test")
            return try catalog.createAccessKey(account: account)
        }
        let changes = Changes()
        var configuration = LambdaServerConfiguration(address: .hostname("127.0.0.1", port: 0))
        configuration.tls = identity.map { identity in
            var tls = identity.serverConfiguration
            tls.certificateVerification = .none
            return tls
        }
        configure(&configuration)
        let client = HTTPClient(configuration: .init(tlsConfiguration: identity?.clientConfiguration))
        defer { client.shutdown { _ in } }
        let services = LambdaServices(
            catalog: catalog, bundles: bundles,
            runtimes: [
                KnownRuntime(identifier: "python3.13", needsHandler: true), KnownRuntime(identifier: "nodejs22.x", needsHandler: true),
                KnownRuntime(identifier: "provided.al2023", needsHandler: false),
            ],
            invoke: invoke, begin: begin, functionChanged: { changes.add($0) },
            replicate: replicate, abandoned: abandoned, provisionedStatus: provisionedStatus, clock: clock, affinityTokens: tokens,
            bodies: bodies)
        let (ports, bound) = AsyncStream<Int>.makeStream()
        let server = LambdaServer(
            configuration: configuration, services: services, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onRunning: { bound.yield($0?.port ?? 0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            try await body(
                LambdaNode(
                    account: keys[0], other: keys[1], port: port, server: server, catalog: catalog, bundles: bundles, changes: changes,
                    scheme: identity == nil ? "http" : "https", client: client))
        }
    }

    /// Sends a request, signed by an account unless told otherwise.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8] = [], headers: [String: String] = [:],
        as key: NewAccessKey? = nil, region: String = LambdaNode.region, signed: Bool = true, at now: Double = Date().timeIntervalSince1970
    ) async throws -> LambdaReply {
        let head = try head(method, path, body, headers: headers, as: key, region: region, signed: signed, at: now)
        var request = HTTPClientRequest(url: "\(scheme)://127.0.0.1:\(port)\(path)")
        request.method = .init(rawValue: method.rawValue)
        for field in head.headerFields { request.headers.add(name: field.name.rawName, value: field.value) }
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await client.execute(request, timeout: .seconds(60))
        return LambdaReply(
            status: Int(response.status.code), version: "\(response.version)",
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { $1 },
            body: Array(try await response.body.collect(upTo: 100 << 20).readableBytesView))
    }

    /// The head of a request, signed by an account unless told otherwise.
    func head(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8] = [], headers: [String: String] = [:],
        as key: NewAccessKey? = nil, region: String = LambdaNode.region, signed: Bool = true, at now: Double = Date().timeIntervalSince1970
    ) throws -> HTTPRequest {
        var head = HTTPRequest(method: method, scheme: scheme, authority: "127.0.0.1:\(port)", path: path)
        for (name, value) in headers { head.headerFields[try #require(HTTPField.Name(name))] = value }
        let key = key ?? account
        if signed {
            RequestSigner(accessKeyID: key.id, secret: key.secret, region: region)
                .sign(&head, bodyDigest: SHA256.hash(data: body), now: Int64(now))
        }
        return head
    }

    /// A request with a JSON object as its body.
    func call(
        _ method: HTTPRequest.Method, _ path: String, _ object: [String: Any] = [:], as key: NewAccessKey? = nil
    ) async throws -> LambdaReply {
        try await send(method, path, object.isEmpty ? [] : Array(try JSONSerialization.data(withJSONObject: object)), as: key)
    }

    /// CreateFunction with what a function needs, and whatever else is given.
    @discardableResult
    func create(_ name: String, _ more: [String: Any] = [:], as key: NewAccessKey? = nil) async throws -> LambdaReply {
        let package = Data(try Self.zip(["app.py": "def handler(event, context): return event"])).base64EncodedString()
        let given: [String: Any] = [
            "FunctionName": name, "Role": "arn:aws:iam::123456789012:role/r", "Runtime": "python3.13", "Handler": "app.handler",
            "Code": ["ZipFile": package],
        ]
        return try await call(.post, "/2015-03-31/functions", given.merging(more) { $1 }, as: key)
    }

    func invoke(
        _ function: String, _ event: String = "{}", headers: [String: String] = [:], as key: NewAccessKey? = nil
    ) async throws -> LambdaReply {
        try await send(.post, "/2015-03-31/functions/\(function)/invocations", Array(event.utf8), headers: headers, as: key)
    }

    /// A zip with these files.
    static func zip(_ files: [String: String]) throws -> [UInt8] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-zip-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try text.write(to: folder.appending(path: name), atomically: false, encoding: .utf8) }
        return try ZipPackager.package(folder: FilePath(folder.path))
    }
}

/// An answer, read whole.
struct LambdaReply {
    let status: Int
    /// Of HTTP.
    let version: String
    /// By lower-case names.
    let headers: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:] }
    var errorType: String? { headers["x-amzn-errortype"] }
    var message: String? { (json["message"] ?? json["Message"]) as? String }
}

extension InvocationResult {
    /// What an engine would answer.
    static func test(_ request: InvocationRequest, _ outcome: Outcome, log: String = "") -> InvocationResult {
        var record = InvocationRecord(
            requestID: request.id, functionARN: request.invokedARN, version: request.function.version,
            account: request.function.key.account, node: "pop-1", decision: .run, reason: .warm, arrivalEpochSeconds: 0,
            outcome: .success, endingParty: .function, memoryLimit: request.function.memory,
            requestByteCount: request.payload.readableBytes)
        record.startLevel = .warm
        return InvocationResult(outcome: outcome, log: InvocationLog(text: ByteBuffer(string: log)), record: record)
    }
}
