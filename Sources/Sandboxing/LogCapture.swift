internal import EngineCore
internal import NIOCore

/// The output of one invocation, as it arrives, up to a limit.
///
/// What comes first is kept: the beginning explains, and memory stays bounded whatever a function writes. What comes after is
/// counted, never silently lost.
struct LogCapture {
    /// Bytes kept of one invocation.
    let limit: Int
    private var log = InvocationLog()

    init(limit: ByteCount) { self.limit = limit.bytes }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let kept = min(bytes.count, limit - log.text.readableBytes)
        if kept > 0 { log.text.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<kept])) }
        log.droppedByteCount += bytes.count - max(0, kept)
    }

    /// Counts bytes that belong to no invocation; the next one's counter shows them.
    mutating func drop(_ count: Int) { log.droppedByteCount += count }

    /// The output so far; the next invocation begins.
    mutating func take() -> InvocationLog {
        defer { log = InvocationLog() }
        return log
    }
}
