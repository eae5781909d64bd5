public import EngineCore

/// What the API takes. The defaults are Lambda's own (lambda-api.md, section 9); passing one answers as Lambda does.
public struct LambdaLimits: Hashable, Sendable {
    /// The event of an invocation. Beyond: 413 `RequestTooLargeException`.
    public var eventBytes = ByteCount(6_291_456)
    /// What one streamed result may have; `nil`: any number. Beyond: the stream ends with `Function.ResponseSizeTooLarge`.
    public var streamedBytes: ByteCount? = ByteCount(200 << 20)
    /// The body of CreateFunction and UpdateFunctionCode, with its base64. Beyond: 413 `RequestEntityTooLargeException`.
    public var codeRequestBytes = ByteCount(70_167_211)
    /// The body of every other request. Beyond: 413 `RequestEntityTooLargeException`.
    public var requestBytes = ByteCount(1 << 20)
    /// A package once its base64 is undone. Beyond: 413 `RequestEntityTooLargeException`.
    public var zippedBytes = ByteCount(52_428_800)
    /// The owner's variables as compact JSON. Beyond: 400 `InvalidParameterValueException`.
    public var environmentBytes = ByteCount(4096)
    /// `X-Amz-Client-Context`, still in base64. Beyond: 400 `InvalidRequestContentException`.
    public var clientContextBytes = ByteCount(3583)
    /// `X-Amzn-Trace-Id`. Beyond: the call gets a new one, as if it had come without.
    public var traceIDBytes = ByteCount(1024)
    /// Tags of one function. Beyond: 400 `InvalidParameterValueException`.
    public var tags = 50
    /// Items in a page of a list, whatever the caller asks for.
    public var pageItems = 50
    /// Requests that carry a package being unpacked at one time, each of which may hold its body in memory twice. A request takes
    /// its place only once its signature is verified. Beyond: 429 `TooManyRequestsException`, which clients repeat.
    public var codeRequests = 4
    /// A body up to this size is received without ``bodyReceipt``.
    public var smallBodyBytes = ByteCount(1 << 20)
    /// How long a body that is not small may take to arrive. Beyond: the connection, or with HTTP/2 the stream, is closed.
    public var bodyReceipt: Duration = .seconds(300)
    /// How long a link to a package is good, in seconds.
    public var codeLinkSeconds = 600
    /// The bytes at the end of a log that `LogType=Tail` answers.
    public var logTailBytes = ByteCount(4096)
    /// Connections open at one time. Beyond: they wait to be accepted.
    public var connections = 16_384

    public init() {}
}
