import Crypto
import EngineCore
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
    ///   - admit: asked, with the bytes there will be then, before a part is kept.
    /// - Throws: ``TooLarge`` as soon as the limit is passed; what `admit` throws; what the connection throws when it breaks.
    init(_ body: RequestBody, announced: Int?, limit: Int, admit: (_ bytes: Int) throws(InvocationError) -> Void) async throws {
        if let announced, announced > limit { throw TooLarge() }
        var hasher = SHA256()
        for try await part in body {
            guard buffer.readableBytes + part.readableBytes <= limit else { throw TooLarge() }
            try admit(buffer.readableBytes + part.readableBytes)
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
