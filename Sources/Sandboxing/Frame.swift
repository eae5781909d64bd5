internal import CSandboxProtocol
internal import NIOCore

/// One message between the engine and a built-in runtime (`wayside_frames.h`).
struct Frame: Equatable {
    enum Kind: UInt8, CaseIterable {
        case booted = 1
        case initialise, ready, invoke, result, error, stream
    }

    static let headerSize = Int(WS_FRAME_HEADER_SIZE)
    /// `WS_FRAME_PAYLOAD_MAX`; an expression in C that is not imported.
    static let payloadMax = 8 << 20
    /// `WS_FRAME_STREAM_MAX`, of the same kind.
    static let streamMax = 64 << 10
    static let version = UInt8(WS_FRAME_VERSION)

    var kind: Kind
    var sequence: UInt32
    var payload: ByteBuffer
    /// Its sender ends by itself after this frame.
    var isLast = false
    /// It begins a streamed result, and has its content type.
    var isHead = false

    /// Appends the header of a frame whose payload of `length` bytes follows it.
    static func writeHeader(_ kind: Kind, sequence: UInt32, length: Int, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(length), endianness: .little)
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(version)
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(sequence, endianness: .little)
    }
}

/// A breach of the frame protocol by the runtime, which only the function's own code can have caused.
enum FrameViolation: Error, Hashable, CustomStringConvertible {
    case version(UInt8)
    case kind(UInt8)
    case flags(UInt16)
    case length(UInt32)
    /// A frame that is not allowed now: a second answer, an answer to another call, `READY` without `INIT`.
    case unexpected(Frame.Kind, sequence: UInt32)

    var description: String {
        switch self {
        case .version(let version): "frame of version \(version), expected \(Frame.version)"
        case .kind(let kind): "frame of unknown type \(kind)"
        case .flags(let flags): "frame with unknown flags \(flags)"
        case .length(let length): "frame of \(length) bytes, at most \(Frame.payloadMax) are allowed, and \(Frame.streamMax) in a stream"
        case .unexpected(let kind, let sequence): "unexpected frame \(kind) with sequence \(sequence)"
        }
    }
}

/// Bytes in, frames out; however the bytes were split on the way.
///
/// What is kept is at most one frame and one read beyond it: memory grows with what was received, never with what a header claims.
struct FrameDecoder {
    private var unread = ByteBuffer()
    /// The memory of what is kept.
    var heldCapacity: Int { unread.capacity }

    mutating func append(_ bytes: inout ByteBuffer) {
        if unread.readableBytes == 0 {
            // The usual case: a read holds exactly one frame, whose payload is then a slice of it, without a copy.
            unread = bytes
        } else {
            // A stream of frames may never end where a read does: what has been read is not kept in front of what comes.
            unread.discardReadBytes()
            unread.writeBuffer(&bytes)
        }
    }

    /// - Returns: `nil` when the next frame is not complete yet.
    /// - Throws: what is wrong with the next header; there is no way to go on after it.
    mutating func next() throws(FrameViolation) -> Frame? {
        let start = unread.readerIndex
        guard let length = unread.getInteger(at: start, endianness: .little, as: UInt32.self),
            let rawKind = unread.getInteger(at: start + 4, as: UInt8.self),
            let version = unread.getInteger(at: start + 5, as: UInt8.self),
            let flags = unread.getInteger(at: start + 6, endianness: .little, as: UInt16.self),
            let sequence = unread.getInteger(at: start + 8, endianness: .little, as: UInt32.self)
        else { return nil }
        guard version == Frame.version else { throw .version(version) }
        guard let kind = Frame.Kind(rawValue: rawKind) else { throw .kind(rawKind) }
        let isLast = kind == .error && flags == UInt16(WS_FRAME_FLAG_LAST)
        let isHead = kind == .stream && flags == UInt16(WS_FRAME_FLAG_HEAD)
        guard flags == 0 || isLast || isHead else { throw .flags(flags) }
        guard length <= UInt32(kind == .stream ? Frame.streamMax : Frame.payloadMax) else { throw .length(length) }
        guard let payload = unread.getSlice(at: start + Frame.headerSize, length: Int(length)) else { return nil }
        unread.moveReaderIndex(forwardBy: Frame.headerSize + Int(length))
        if unread.readableBytes == 0 { unread = ByteBuffer() }
        return Frame(kind: kind, sequence: sequence, payload: payload, isLast: isLast, isHead: isHead)
    }
}
