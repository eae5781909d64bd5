import EngineCore
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RegionForwarding
import Synchronization

/// Versions and their packages, as other nodes send, fetch and release them.
extension PeerResponder {
    func addBundle(_ digest: ContentDigest, _ request: Request) async throws -> Response {
        do {
            try beginTransfer()
        } catch {
            try await discard(request.body)
            throw error
        }
        defer { transfers.count.withLock { $0 -= 1 } }
        var held = HeldBody(services.bodies)
        defer { held.release() }
        let zip = try await collect(request.body, bytesMax: limits.bundleBytesMax, &held)
        try await services.addBundle(Array(zip.readableBytesView), digest)
        return Response(status: .noContent)
    }

    /// A package goes to a node that has the version it belongs to, and so can name it: its revision is known to nobody else.
    func bundle(
        _ digest: ContentDigest, _ request: Request, of peer: NodeCertificate, on stream: any Channel
    ) async throws -> Response {
        let identity = try VersionIdentity(fields: request.headers)
        try peer.admit(identity.function.account)
        guard let version = try await services.heldVersion(identity.function, identity.version, identity.revision),
            version.codeDigest == digest, await services.hasBundle(digest)
        else { throw ForwardingError(.notFound, "Node \(services.node) does not hold revision \(identity.revision) with this package.") }
        try beginTransfer()
        // It is in memory until the peer has read it.
        stream.closeFuture.whenComplete { [transfers] _ in transfers.count.withLock { $0 -= 1 } }
        return Response(
            status: .ok, headers: [.contentType: "application/zip"],
            body: ResponseBody(byteBuffer: try await services.package(digest)))
    }

    func hold(_ request: Request, of peer: NodeCertificate) async throws -> Response {
        var held = HeldBody(services.bodies)
        defer { held.release() }
        let document = try await collect(request.body, bytesMax: ForwardWire.documentBytesMax, &held)
        let version: PinnedVersion
        do {
            version = try JSONDecoder().decode(PinnedVersion.self, from: Data(document.readableBytesView))
        } catch {
            throw ForwardingError(.invalidRequest, "The version cannot be read: \(error).")
        }
        try peer.admit(version.key.account)
        guard await services.hasBundle(version.codeDigest) else {
            throw InvocationError(.codeUnavailable, "Node \(services.node) has no package \(version.codeDigest). Send it first.")
        }
        try await services.hold(version)
        services.reports?.hold([VersionIdentity(version)])
        return Response(status: .noContent)
    }

    func release(_ request: Request, of peer: NodeCertificate) async throws -> Response {
        let identity = try VersionIdentity(fields: request.headers)
        try peer.admit(identity.function.account)
        let quiet = Duration.milliseconds(request.headers[.waysideQuiet].flatMap { Int64($0) } ?? 0)
        if let last = services.reports?.lastReceived(revision: identity.revision), EngineInstant.now() - last < quiet {
            return Response(status: .ok)
        }
        services.reports?.drop(revision: identity.revision)
        try await services.release(identity)
        return Response(status: .noContent)
    }

    /// - Throws: `overloaded` when as many packages are in memory as may be. Ends by counting down.
    private func beginTransfer() throws(InvocationError) {
        let isAdmitted = transfers.count.withLock { count in
            guard count < limits.bundlesMax else { return false }
            count += 1
            return true
        }
        guard isAdmitted else {
            throw InvocationError(.overloaded, "Node \(services.node) is receiving or sending \(limits.bundlesMax) packages already.")
        }
    }
}
