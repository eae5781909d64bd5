public import EngineCore
public import NIOCore

/// What a region made of a forwarded invocation: the sections of the answer's body (see ``ForwardWire``).
public struct ForwardedAnswer: Sendable {
    /// The region's result, with its log and its own record.
    public let result: InvocationResult

    public init(_ result: InvocationResult) { self.result = result }

    /// The part of the region's record that explains the call in the sender's.
    public var remote: InvocationRecord.RemoteRecord {
        let record = result.record
        return .init(
            node: record.node, reason: record.reason, startLevel: record.startLevel, spans: record.spans, capacity: record.capacity)
    }

    // MARK: - Sections

    /// The body in pieces, so that the payload is not copied.
    /// - Throws: `invalidAnswer` when the payload is larger than its limit.
    public func sections() throws(ForwardingError) -> [ByteBuffer] {
        let payload = result.outcome.payload
        guard payload.readableBytes <= ForwardWire.payloadBytesMax else {
            throw ForwardingError(
                .invalidAnswer, "The result has \(payload.readableBytes) bytes, and \(ForwardWire.payloadBytesMax) are permitted.")
        }
        return [ForwardedSection.head(.payload, payload), payload] + closing()
    }

    /// Log and end.
    func closing() -> [ByteBuffer] {
        let log = result.log.tail(limit: ForwardWire.logBytesMax)
        let outcome: ForwardedEnd.Outcome =
            switch result.outcome {
            case .success: .success
            case .functionError: .functionError
            }
        let cut = result.log.text.readableBytes - log.readableBytes
        let end = ForwardedEnd(outcome: outcome, logDroppedByteCount: result.log.droppedByteCount + cut, record: result.record)
        let document = end.document()
        return [ForwardedSection.head(.log, log), log, ForwardedSection.head(.end, document), document]
    }

    /// - Parameter body: the whole body. The payload shares its memory when it came in one section.
    /// - Throws: `invalidAnswer` when it was cut off, has a section of an unknown kind, or one larger than its limit.
    public init(body: ByteBuffer) throws(ForwardingError) {
        var rest = body
        var payload = ByteBuffer()
        var log = ByteBuffer()
        while let number = rest.readInteger(as: UInt8.self) {
            guard let kind = ForwardedSection(rawValue: number) else { throw Self.invalid("has a section of the unknown kind \(number)") }
            guard let count = rest.readInteger(as: UInt32.self), let content = rest.readSlice(length: Int(count)) else {
                throw Self.invalid("was cut off")
            }
            switch kind {
            case .payload: try Self.append(content, to: &payload, bytesMax: ForwardWire.payloadBytesMax)
            case .log: try Self.append(content, to: &log, bytesMax: ForwardWire.logBytesMax)
            case .end:
                guard rest.readableBytes == 0 else { throw Self.invalid("goes on after its end") }
                result = try Self.result(end: content, payload: payload, log: log)
                return
            case .head, .error, .failure: throw Self.invalid("is a stream, and none was wanted")
            case .call: throw Self.invalid("has a section of a request")
            }
        }
        throw Self.invalid("was cut off")
    }

    static func append(_ content: ByteBuffer, to whole: inout ByteBuffer, bytesMax: Int) throws(ForwardingError) {
        guard whole.readableBytes + content.readableBytes <= bytesMax else { throw invalid("has a section larger than its limit") }
        if whole.readableBytes == 0 {
            whole = content
        } else {
            whole.writeImmutableBuffer(content)
        }
    }

    static func result(end content: ByteBuffer, payload: ByteBuffer, log: ByteBuffer) throws(ForwardingError)
        -> InvocationResult
    {
        guard content.readableBytes <= ForwardWire.documentBytesMax else { throw invalid("has a section larger than its limit") }
        let end = try ForwardedEnd(document: content)
        let outcome: InvocationResult.Outcome =
            switch end.outcome {
            case .success: .success(payload)
            case .functionError: .functionError(payload)
            }
        // The log is kept long after the call; as a part of the body it would keep all of that.
        let kept = ByteBuffer(bytes: log.readableBytesView)
        return InvocationResult(
            outcome: outcome, log: InvocationLog(text: kept, droppedByteCount: end.logDroppedByteCount), record: end.record)
    }

    static func invalid(_ what: String) -> ForwardingError {
        ForwardingError(.invalidAnswer, "The answer of the region \(what).")
    }
}
