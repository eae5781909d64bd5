import NIOCore
import Synchronization

/// A payload that knows whether it has been asked for.
///
/// The HTTP client asks for the body only when it has a connection and has written the request's head. Until then no region
/// can have begun to run the call; from then on it may have. This one bit decides whether the call may be tried elsewhere
/// (PLACE-17), whatever the error looks like.
final class PayloadStream: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let payload: ByteBuffer
    private let asked = Atomic(false)

    init(_ payload: ByteBuffer) { self.payload = payload }

    /// Whether a region may have received the call.
    var wasSent: Bool { asked.load(ordering: .acquiring) }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let stream: PayloadStream
        fileprivate var isAtEnd = false

        mutating func next() async throws -> ByteBuffer? {
            guard !isAtEnd else { return nil }
            isAtEnd = true
            stream.asked.store(true, ordering: .releasing)
            return stream.payload
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }

    var byteCount: Int { payload.readableBytes }
}
