internal import NIOCore
internal import NIOHTTP1

/// An answer of the Lambda Runtime API to the runtime.
struct RuntimeAPIAnswer: Equatable {
    var status: HTTPResponseStatus
    /// Beside those that every answer has; what is empty is left out.
    var headers: [(name: StaticString, value: String)] = []
    var body: ByteBuffer

    private init(_ status: HTTPResponseStatus, _ body: ByteBuffer) {
        self.status = status
        self.body = body
    }

    /// An event, with what a runtime needs to know of its call.
    init(event: ByteBuffer, headers: [(name: StaticString, value: String)]) {
        self.init(.ok, event)
        self.headers = headers
    }

    static func == (left: RuntimeAPIAnswer, right: RuntimeAPIAnswer) -> Bool {
        left.status == right.status && left.body == right.body && left.headers.map(\.value) == right.headers.map(\.value)
    }

    /// Asks the client to go on sending (RFC 9110, section 15.2.1).
    static let continuation = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")

    /// Bytes of a body that is copied behind its head. A longer one is not: it is the call's event, of which there is to be one in
    /// memory, whoever asks for it and however slowly it is read.
    private static let copiedMax = 16 << 10

    /// The answer as HTTP/1.1 (RFC 9112), in one buffer, or in two if the body is long. This is written on every call, and so not
    /// by way of an encoder.
    func bytes(for head: HTTPRequestHead, allocator: ByteBufferAllocator) -> (ByteBuffer, body: ByteBuffer?) {
        let isCopied = body.readableBytes <= Self.copiedMax
        var buffer = allocator.buffer(capacity: 512 + (isCopied ? body.readableBytes : 0))
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\nContent-Type: application/json\r\n")
        for (name, value) in headers where !value.isEmpty {
            buffer.writeStaticString(name)
            buffer.writeStaticString(": ")
            buffer.writeFieldValue(value)
            buffer.writeStaticString("\r\n")
        }
        if !head.isKeepAlive { buffer.writeStaticString("Connection: close\r\n") }
        buffer.writeStaticString("Content-Length: ")
        buffer.writeString(String(body.readableBytes))
        buffer.writeStaticString("\r\n\r\n")
        guard isCopied else { return (buffer, body) }
        buffer.writeImmutableBuffer(body)
        return (buffer, nil)
    }

    static let accepted = RuntimeAPIAnswer(.accepted, ByteBuffer(string: "{\"status\":\"OK\"}\n"))
    static let pong = RuntimeAPIAnswer(.ok, ByteBuffer(string: "pong"))
    static let nothing = RuntimeAPIAnswer(.ok, ByteBuffer())
    static let invalidRequestID = failure(.badRequest, "InvalidRequestID", "Invalid request ID")
    static let invalidStateTransition = failure(.forbidden, "InvalidStateTransition", "State transition is not allowed")
    static let invalidResponseMode = failure(.badRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
    static let unknownPath = failure(.notFound, "NotFound", "The Runtime API has no such path or method")

    static func tooLarge(_ bytesMax: Int) -> RuntimeAPIAnswer {
        failure(.payloadTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (\(bytesMax) bytes).")
    }

    private static func failure(_ status: HTTPResponseStatus, _ type: String, _ message: String) -> RuntimeAPIAnswer {
        RuntimeAPIAnswer(status, ByteBuffer(string: #"{"errorMessage":"\#(message)","errorType":"\#(type)"}"# + "\n"))
    }
}

extension ByteBuffer {
    /// Control characters become blanks: a value that a client chose must not become a second header. In JSON text, the one kind of
    /// value that may have line breaks, they mean the same.
    fileprivate mutating func writeFieldValue(_ value: String) {
        if value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            writeBytes(value.utf8.lazy.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 })
        } else {
            writeString(value)
        }
    }
}
