import NIOCore
import Synchronization

/// The body of a request, which knows whether it has been handed to a connection.
///
/// Until then no region can have begun to run the call; from then on it may have. This one bit decides whether the call may be tried
/// elsewhere (PLACE-17), whatever the error looks like.
final class RequestBody: Sendable {
    /// What follows each other; the last is never empty unless all are.
    let parts: [ByteBuffer]
    private let sent = Atomic(false)

    /// Smaller payloads are copied behind what goes before them: a frame costs more.
    private static let copiedBytesMax = 16 << 10

    init(_ payload: ByteBuffer) { parts = [payload] }

    /// A call, and its payload.
    init(opening: ByteBuffer, _ payload: ByteBuffer) {
        guard payload.readableBytes <= Self.copiedBytesMax else {
            parts = [opening, payload]
            return
        }
        var whole = opening
        whole.writeImmutableBuffer(payload)
        parts = [whole]
    }

    /// Whether a region may have received the call.
    var wasSent: Bool { sent.load(ordering: .acquiring) }

    func markSent() { sent.store(true, ordering: .releasing) }

    var byteCount: Int { parts.reduce(0) { $0 + $1.readableBytes } }
}
