import EngineCore
import HTTPTypes
import Logging
import NIOCore
import NIOHPACK
import NIOSSL
import RegionForwarding

/// What a node does for a forwarded call that finds an idle container, without a task: the part that is the same for every connection.
///
/// It decides as ``PeerResponder`` does. Whatever is not plainly in order is left to that, which says what is wrong with it.
struct PeerInvocations: Sendable {
    /// Larger payloads go the other way, which takes them in pieces.
    static let payloadBytesMax = 256 << 10

    struct Prepared {
        let identity: VersionIdentity
        let request: InvocationRequest
        let version: PinnedVersion
    }

    let services: PeerServices
    let limits: PeerLimits
    let identities: PeerIdentities
    let logger: Logger

    /// The node that has shown this certificate; `nil` unless it may forward some calls now.
    func sender(_ shown: NIOSSLCertificate) -> NodeCertificate? {
        guard let peer = try? identities.certificate(shown, logger), peer.forwarding != .none else { return nil }
        return peer
    }

    /// Whether the head is that of an invocation with a small payload, and names its sender.
    func isCandidate(_ head: HPACKHeaders, from sender: NodeCertificate) -> Bool {
        guard head.first(name: ":path") == ForwardWire.invocationsPath, head.first(name: ":method") == "POST",
            head.first(name: "wayside-protocol") == ForwardWire.protocolVersion, head.first(name: "wayside-origin") == sender.node,
            let length = head.first(name: "content-length").flatMap({ Int($0) })
        else { return false }
        return (1...Self.payloadBytesMax + ForwardWire.callBytesMax).contains(length)
    }

    /// - Parameter body: of a request with such a head, whole; the call is taken off it, and the payload remains.
    /// - Returns: `nil` unless the sender may forward the call and any container will do.
    func call(_ body: inout ByteBuffer, from sender: NodeCertificate) -> ForwardedInvocation? {
        guard let invocation = try? ForwardedInvocation(opening: &body, from: sender.node),
            sender.forwarding.permits(invocation.function.account)
        else { return nil }
        // A call that wants a particular container may have to wait for it, and a stream has no length.
        return invocation.affinity == nil && invocation.streamBytesMax == nil ? invocation : nil
    }

    /// - Returns: `nil` unless the call may run here and its version is at hand.
    func prepare(_ invocation: ForwardedInvocation, payload: ByteBuffer, arrival: EngineInstant) -> Prepared? {
        guard (try? invocation.admit(hopsMax: limits.hopsMax)) != nil, payload.readableBytes > 0, !services.isDraining(),
            let version = services.versionAtHand(invocation.function, invocation.version, invocation.revision)
        else { return nil }
        return Prepared(
            identity: VersionIdentity(function: invocation.function, version: invocation.version, revision: invocation.revision),
            request: invocation.request(of: version, payload: payload, arrival: arrival), version: version)
    }

    /// The answer's head and body.
    func answer(_ result: Result<InvocationResult, InvocationError>) -> (head: HPACKHeaders, body: ByteBuffer) {
        do {
            let sections = try ForwardedAnswer(result.get()).sections()
            var body = ByteBuffer()
            body.reserveCapacity(sections.reduce(0) { $0 + $1.readableBytes })
            for section in sections { body.writeImmutableBuffer(section) }
            var head = HPACKHeaders([(":status", "200"), (HTTPField.Name.waysideNode.canonicalName, services.node)])
            head.add(name: "content-type", value: "application/octet-stream")
            return (head, body)
        } catch let error as InvocationError {
            return answer(ForwardedFailure(error))
        } catch let error as ForwardingError {
            return answer(ForwardedFailure(error))
        } catch {
            return answer(ForwardedFailure(InvocationError(.internalFailure, "\(error)")))
        }
    }

    private func answer(_ failure: ForwardedFailure) -> (head: HPACKHeaders, body: ByteBuffer) {
        (HPACKHeaders([(":status", String(failure.status)), ("content-type", "application/json")]), failure.body)
    }
}
