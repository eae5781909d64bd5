internal import NIOCore
internal import NIOHTTP1

/// An answer of the Lambda Runtime API to the runtime.
struct RuntimeAPIAnswer: Equatable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    var body: ByteBuffer

    private init(_ status: HTTPResponseStatus, _ body: ByteBuffer) {
        self.status = status
        self.body = body
    }

    /// An event, with what a runtime needs to know of its call. What is empty is left out.
    init(event: ByteBuffer, headers: [(String, String)]) {
        self.init(.ok, event)
        self.headers.reserveCapacity(headers.count + 2)
        for (name, value) in headers where !value.isEmpty { self.headers.add(name: name, value: value) }
    }

    static let accepted = RuntimeAPIAnswer(.accepted, ByteBuffer(string: "{\"status\":\"OK\"}\n"))
    static let pong = RuntimeAPIAnswer(.ok, ByteBuffer(string: "pong"))
    static let nothing = RuntimeAPIAnswer(.ok, ByteBuffer())
    static let invalidRequestID = failure(.badRequest, "InvalidRequestID", "Invalid request ID")
    static let invalidStateTransition = failure(.forbidden, "InvalidStateTransition", "State transition is not allowed")
    static let invalidResponseMode = failure(.badRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
    static let tooLarge = failure(
        .payloadTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (\(RuntimeLimits.responseMax) bytes).")
    static let unknownPath = failure(.notFound, "NotFound", "The Runtime API has no such path or method")

    private static func failure(_ status: HTTPResponseStatus, _ type: String, _ message: String) -> RuntimeAPIAnswer {
        RuntimeAPIAnswer(status, ByteBuffer(string: #"{"errorMessage":"\#(message)","errorType":"\#(type)"}"# + "\n"))
    }
}
