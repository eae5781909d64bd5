internal import NIOCore

/// Bytes of a runtime into ``FrameDecoder``: first how long each read is, then the stream.
///
/// Frames do not depend on how the stream was cut; what is decoded is the stream's own bytes and no more of them than it has; a
/// violation comes at the same place however the stream was cut.
func fuzzFrames(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let step = Int(source.byte()) + 1
    let stream = source.remainder()
    let whole = decode(stream, step: max(1, stream.count))
    let cut = decode(stream, step: step)
    check(whole.frames == cut.frames && whole.violation == cut.violation, "frames depend on how the stream was cut")

    var again = ByteBuffer()
    for frame in whole.frames {
        check(frame.payload.readableBytes <= Frame.payloadMax, "a payload over the limit")
        let start = again.writerIndex
        Frame.writeHeader(frame.kind, sequence: frame.sequence, length: frame.payload.readableBytes, into: &again)
        check(!frame.isLast || frame.kind == .error, "the last frame is no error")
        if frame.isLast { again.setInteger(UInt16(1), at: start + 6, endianness: .little) }
        again.writeImmutableBuffer(frame.payload)
        if frame.kind == .error { _ = ErrorObject.type(in: frame.payload) }
    }
    check(stream.starts(with: again.readableBytesView), "frames that the stream does not have")
    if whole.violation == nil {
        let rest = stream.dropFirst(again.readableBytes)
        check(rest.count < Frame.headerSize || rest.count < Frame.headerSize + length(rest), "a whole frame was not handed out")
    }
}

private func length(_ header: ArraySlice<UInt8>) -> Int { header.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) } }

private func decode(_ stream: [UInt8], step: Int) -> (frames: [Frame], violation: FrameViolation?) {
    var decoder = FrameDecoder()
    var frames: [Frame] = []
    do throws(FrameViolation) {
        for start in stride(from: 0, to: stream.count, by: step) {
            var part = ByteBuffer(bytes: stream[start..<min(start + step, stream.count)])
            decoder.append(&part)
            while let frame = try decoder.next() { frames.append(frame) }
        }
    } catch {
        return (frames, error)
    }
    return (frames, nil)
}
