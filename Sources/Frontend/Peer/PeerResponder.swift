import EngineCore
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import RegionForwarding
import Synchronization

/// A request of a peer with the stream it came on.
struct PeerContext: InitializableFromSource, Sendable {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

/// Answers what other nodes ask of this one; `ForwardWire` says what they may.
///
/// Bodies are read to their end before an error is answered: an HTTP/2 client that is answered while it still sends may keep
/// its stream open, and streams are few.
struct PeerResponder: HTTPResponder {
    typealias Context = PeerContext

    private enum Route {
        case invoke
        case hasBundle(ContentDigest)
        case addBundle(ContentDigest)
        case bundle(ContentDigest)
        case hold
        case release
        case health
        case reports(ReportPlace)

        init?(_ request: Request) {
            let path = request.uri.path
            switch (request.method, path) {
            case (.post, ForwardWire.invocationsPath): self = .invoke
            case (.put, ForwardWire.versionsPath): self = .hold
            case (.delete, ForwardWire.versionsPath): self = .release
            case (.get, ForwardWire.healthPath): self = .health
            case (.get, ForwardWire.reportsPath): self = .reports(ReportPlace(query: request.uri.query ?? ""))
            default:
                guard path.hasPrefix(ForwardWire.bundlesPath + "/"),
                    let digest = ContentDigest(hex: path.dropFirst(ForwardWire.bundlesPath.utf8.count + 1))
                else { return nil }
                switch request.method {
                case .head: self = .hasBundle(digest)
                case .put: self = .addBundle(digest)
                case .get: self = .bundle(digest)
                default: return nil
                }
            }
        }

        /// Packages are nobody's in particular: whoever may forward for some account may send them. Accounts are looked at where
        /// they are known.
        /// - Throws: `forbidden`.
        func admit(_ peer: NodeCertificate) throws(ForwardingError) {
            switch self {
            case .hasBundle, .addBundle: try peer.admit(nil)
            case .invoke, .bundle, .hold, .release, .health, .reports: break
            }
        }
    }

    /// Packages in memory.
    final class Transfers: Sendable {
        let count = Mutex(0)
    }

    let services: PeerServices
    let limits: PeerLimits
    private let identities: PeerIdentities
    let transfers = Transfers()

    init(services: PeerServices, limits: PeerLimits, identities: PeerIdentities) {
        self.services = services
        self.limits = limits
        self.identities = identities
    }

    func respond(to request: Request, context: PeerContext) async throws -> Response {
        let arrival = EngineInstant.now()
        do {
            let (route, peer) = try await admit(request, context)
            switch route {
            case .invoke:
                // The sender that resets its stream or loses its connection cancels what runs for it.
                return await withCancellation(onCloseOf: context.channel) {
                    await invoke(request, of: peer, arrival: arrival, on: context.channel)
                }
            case .hasBundle(let digest):
                return Response(status: await services.hasBundle(digest) ? .ok : .notFound)
            case .addBundle(let digest): return try await addBundle(digest, request)
            case .bundle(let digest):
                try await discard(request.body)
                return try await bundle(digest, request, of: peer, on: context.channel)
            case .hold: return try await hold(request, of: peer)
            case .release:
                try await discard(request.body)
                return try await release(request, of: peer)
            case .health: return health()
            case .reports(let place):
                try await discard(request.body)
                return try reports(from: place, to: peer, on: context.channel)
            }
        } catch let error as ForwardingError {
            let sender = request.headers[.waysideOrigin] ?? "nobody"
            context.logger.warning(
                "A peer's request was refused.",
                metadata: ["error": "\(error)", "path": "\(request.uri.path)", "sender": "\(sender.prefix(100))"])
            return Self.response(ForwardedFailure(error), to: request)
        } catch let error as InvocationError {
            return Self.response(ForwardedFailure(error), to: request)
        }
    }

    /// For what is asked, and by whom.
    /// - Throws: `unsupportedProtocol`, `forbidden`, `notFound`; the body has been read then.
    private func admit(_ request: Request, _ context: PeerContext) async throws -> (Route, peer: NodeCertificate) {
        do {
            try PeerFields.checkProtocol(request.headers)
            let peer = try await identities.certificate(of: context.channel, logger: context.logger)
            guard request.headers[.waysideOrigin] == peer.node else {
                throw ForwardingError(.forbidden, "The request is not from the node it says: its certificate is that of \(peer.node).")
            }
            guard let route = Route(request) else {
                throw ForwardingError(.notFound, "There is no \(request.method) \(request.uri.path) between nodes.")
            }
            try route.admit(peer)
            return (route, peer)
        } catch {
            try await discard(request.body)
            throw error
        }
    }

    // MARK: - Routes

    private func invoke(
        _ request: Request, of peer: NodeCertificate, arrival: EngineInstant, on stream: any Channel
    ) async -> Response {
        var held = HeldBody(services.bodies)
        defer { held.release() }
        do {
            var payload = try await collect(request.body, bytesMax: limits.payloadBytesMax + ForwardWire.callBytesMax, &held)
            let invocation = try ForwardedInvocation(opening: &payload, from: peer.node)
            try peer.admit(invocation.function.account)
            guard payload.readableBytes <= limits.payloadBytesMax else {
                throw ForwardingError.tooLarge(payload.readableBytes, limits.payloadBytesMax)
            }
            guard payload.readableBytes > 0 else { throw ForwardingError(.invalidRequest, "An invocation has a payload.") }
            try invocation.admit(hopsMax: limits.hopsMax)
            guard !services.isDraining() else {
                throw InvocationError(.draining, "Node \(services.node) is shutting down and takes no new calls.")
            }
            // A version whose package has been removed is as good as none: the sender then supplies both again.
            guard let version = try await services.heldVersion(invocation.function, invocation.version, invocation.revision),
                await services.hasBundle(version.codeDigest)
            else {
                services.reports?.drop(revision: invocation.revision)
                throw InvocationError(.versionNotHeld, "Node \(services.node) does not hold revision \(invocation.revision).")
            }
            let identity = VersionIdentity(
                function: invocation.function, version: invocation.version, revision: invocation.revision)
            services.reports?.received(identity, running: version, now: arrival)
            let call = invocation.request(of: version, payload: payload, arrival: arrival)
            let body: ResponseBody
            if let results = call.results {
                // It runs while the answer is sent, which ends with the stream.
                stream.closeFuture.whenComplete { [held] _ in
                    var held = held
                    held.release()
                }
                held = HeldBody(services.bodies)
                body = streamedBody(of: call, results, identity, on: stream)
            } else {
                let result = try await services.invoke(call)
                services.reports?.answered(identity, result.record)
                body = ResponseBody(contentsOf: try ForwardedAnswer(result).sections())
            }
            var response = Response(status: .ok, body: body)
            response.headers[.waysideNode] = services.node
            response.headers[.contentType] = "application/octet-stream"
            return response
        } catch let error as InvocationError {
            return Self.response(ForwardedFailure(error))
        } catch let error as ForwardingError {
            return Self.response(ForwardedFailure(error))
        } catch {
            // Reading the body failed: the sender has gone, and nobody reads this.
            return Self.response(ForwardedFailure(InvocationError(.aborted, "The sender has gone: \(error)")))
        }
    }

    private func health() -> Response {
        let said = NodeHealth(node: services.node, role: services.role, draining: services.isDraining(), load: services.load())
        guard let document = try? JSONEncoder().encode(said) else {
            return Self.response(ForwardedFailure(InvocationError(.internalFailure, "The load of this node is no number.")))
        }
        return Self.json(.ok, ByteBuffer(bytes: document))
    }

    // MARK: - Bodies

    /// - Parameter held: released when the request has been answered.
    /// - Throws: `bodyTooLarge`; `overloaded` when there is no room for it. The rest has been read and dropped then.
    func collect(_ body: RequestBody, bytesMax: Int, _ held: inout HeldBody) async throws -> ByteBuffer {
        var whole = ByteBuffer()
        var byteCount = 0
        var refusal: InvocationError?
        for try await part in body {
            byteCount += part.readableBytes
            if byteCount <= bytesMax, refusal == nil {
                do throws(InvocationError) {
                    try held.grow(to: byteCount)
                    whole.writeImmutableBuffer(part)
                    continue
                } catch {
                    refusal = error
                }
            }
            whole = ByteBuffer()
            held.release()
        }
        guard byteCount <= bytesMax else { throw ForwardingError.tooLarge(byteCount, bytesMax) }
        if let refusal { throw refusal }
        return whole
    }

    func discard(_ body: RequestBody) async throws {
        for try await _ in body {}
    }

    /// The answer to HEAD has no body, by which its sender would lose the connection.
    private static func response(_ failure: ForwardedFailure, to request: Request) -> Response {
        guard request.method != .head else { return Response(status: HTTPResponse.Status(code: failure.status)) }
        return response(failure)
    }

    private static func response(_ failure: ForwardedFailure) -> Response {
        json(HTTPResponse.Status(code: failure.status), failure.body)
    }

    private static func json(_ status: HTTPResponse.Status, _ document: ByteBuffer) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: document))
    }
}

extension ForwardingError {
    fileprivate static func tooLarge(_ byteCount: Int, _ bytesMax: Int) -> ForwardingError {
        ForwardingError(.bodyTooLarge, "The body has \(byteCount) bytes, and \(bytesMax) are permitted.")
    }
}

extension NodeCertificate {
    /// - Parameter account: `nil`: any.
    /// - Throws: `forbidden` when the node may not forward for it.
    func admit(_ account: AccountID?) throws(ForwardingError) {
        guard account.map({ forwarding.permits($0) }) ?? (forwarding != .none) else {
            throw ForwardingError(
                .forbidden,
                "The certificate of \(node) does not permit it to forward\(account.map { " for account \($0)" } ?? ""). "
                    + "Give it the right with `wayside cert init --forward`.")
        }
    }
}
