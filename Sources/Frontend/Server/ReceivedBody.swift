import Crypto
import HummingbirdCore
import NIOCore

/// The body of a request and the hash its signature covers, taken as it arrives.
///
/// A body of one part, as small events are, stays the buffer it was received in.
struct ReceivedBody: Sendable {
    private(set) var buffer = ByteBuffer()
    let digest: SHA256Digest

    /// - Parameters:
    ///   - announced: `Content-Length`, which saves growing the buffer step by step.
    ///   - limit: the most bytes that are taken.
    /// - Throws: ``TooLarge`` as soon as the limit is passed; what the connection throws when it breaks.
    init(_ body: RequestBody, announced: Int?, limit: Int) async throws {
        if let announced, announced > limit { throw TooLarge() }
        var hasher = SHA256()
        for try await part in body {
            guard buffer.readableBytes + part.readableBytes <= limit else { throw TooLarge() }
            part.withUnsafeReadableBytes { hasher.update(bufferPointer: $0) }
            if buffer.readableBytes == 0 {
                buffer = part
                if let announced, announced > part.readableBytes { buffer.reserveCapacity(announced) }
            } else {
                var part = part
                buffer.writeBuffer(&part)
            }
        }
        digest = hasher.finalize()
    }

    struct TooLarge: Error {}
}
