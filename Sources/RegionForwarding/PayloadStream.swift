import NIOCore
import Synchronization

/// A payload that knows whether it has been handed to a connection.
///
/// Until then no region can have begun to run the call; from then on it may have. This one bit decides whether the call may be tried
/// elsewhere (PLACE-17), whatever the error looks like.
final class PayloadStream: Sendable {
    let payload: ByteBuffer
    private let sent = Atomic(false)

    init(_ payload: ByteBuffer) { self.payload = payload }

    /// Whether a region may have received the call.
    var wasSent: Bool { sent.load(ordering: .acquiring) }

    func markSent() { sent.store(true, ordering: .releasing) }

    var byteCount: Int { payload.readableBytes }
}
