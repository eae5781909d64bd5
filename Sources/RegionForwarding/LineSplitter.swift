import NIOCore

/// Cuts a stream of bytes into lines, of which none may be longer than a limit.
struct LineSplitter {
    private let bytesMax: Int
    private var rest = ByteBuffer()

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    mutating func append(_ bytes: ByteBuffer) { rest.writeImmutableBuffer(bytes) }

    /// The next whole line without its end; `nil` when none is there yet.
    /// - Throws: `invalidAnswer` when the line is longer than it may be, whether or not its end has come.
    mutating func next() throws(ForwardingError) -> ByteBuffer? {
        let end = rest.readableBytesView.firstIndex(of: UInt8(ascii: "\n")).map { $0 - rest.readerIndex }
        guard (end ?? rest.readableBytes) <= bytesMax else {
            throw ForwardingError(.invalidAnswer, "A line has more than \(bytesMax) bytes.")
        }
        guard let end, let line = rest.readSlice(length: end) else { return nil }
        rest.moveReaderIndex(forwardBy: 1)
        rest.discardReadBytes()
        return line
    }
}
