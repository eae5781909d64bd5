internal import EngineCore
internal import NIOCore
internal import Sandboxing

extension InvocationLog {
    /// What the function wrote, between the lines that Lambda's text format puts around it: START … END, REPORT.
    ///
    /// Billed Duration is the run rounded up to a millisecond; Init Duration appears only if this call initialised the container.
    init(_ request: InvocationRequest, _ answer: ContainerAnswer) {
        let id = request.id.description
        let output = answer.output
        var text = ByteBufferAllocator().buffer(capacity: output.text.readableBytes + 384)
        text.writeString("START RequestId: ")
        text.writeString(id)
        text.writeString(" Version: ")
        text.writeString(request.function.version.description)
        text.writeString("\n")
        text.writeImmutableBuffer(output.text)
        if output.droppedByteCount > 0 {
            text.writeString("\n[\(output.droppedByteCount) bytes of output are missing here: the limit of one call was reached]")
        }
        if let last = text.readableBytesView.last, last != UInt8(ascii: "\n") { text.writeString("\n") }
        text.writeString("END RequestId: ")
        text.writeString(id)
        text.writeString("\nREPORT RequestId: ")
        text.writeString(id)
        text.writeString("\tDuration: ")
        text.writeMilliseconds(answer.run)
        text.writeString(" ms\tBilled Duration: ")
        text.writeString("\((answer.run.wholeNanoseconds + 999_999) / 1_000_000)")
        text.writeString(" ms\tMemory Size: ")
        text.writeString("\(request.function.memory.mebibytesRoundedUp)")
        text.writeString(" MB\tMax Memory Used: ")
        text.writeString("\(min(answer.memoryPeak?.mebibytesRoundedUp ?? 0, request.function.memory.mebibytesRoundedUp))")
        text.writeString(" MB\t")
        if let initialise = answer.initialise {
            text.writeString("Init Duration: ")
            text.writeMilliseconds(initialise)
            text.writeString(" ms\t")
        }
        text.writeString("\n")
        self.init(text: text, droppedByteCount: output.droppedByteCount)
    }
}

extension ByteBuffer {
    /// With two decimals, as `12.34`.
    fileprivate mutating func writeMilliseconds(_ duration: Duration) {
        let hundredths = (duration.wholeNanoseconds + 5_000) / 10_000
        writeString("\(hundredths / 100).")
        let rest = hundredths % 100
        writeString(rest < 10 ? "0\(rest)" : "\(rest)")
    }
}
