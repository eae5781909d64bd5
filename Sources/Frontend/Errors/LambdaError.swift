/// An answer that is not a success, in the words and the shape AWS uses.
///
/// Clients branch on the code, and SDK users on `Message` against `message`; so every code has one row in `Code`, and no
/// other place decides a status or a key.
public struct LambdaError: Error, Hashable, Sendable {
    public let code: Code
    public let message: String
    /// `Reason` of a throttled call; absent elsewhere.
    public let reason: ThrottleReason?

    public init(_ code: Code, _ message: String, reason: ThrottleReason? = nil) {
        self.code = code
        self.message = message
        self.reason = reason
    }

    /// Why a call was refused with `TooManyRequestsException`.
    public enum ThrottleReason: String, Hashable, Sendable {
        case reservedConcurrency = "ReservedFunctionConcurrentInvocationLimitExceeded"
        case concurrency = "ConcurrentInvocationLimitExceeded"
        case callerRate = "CallerRateLimitExceeded"
        case invocationRate = "FunctionInvocationRateLimitExceeded"
    }
}

extension LambdaError {
    /// The name of an exception; the raw value goes into `x-amzn-ErrorType`.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case accessDenied = "AccessDeniedException"
        case codeSigningConfigNotFound = "CodeSigningConfigNotFoundException"
        case codeStorageExceeded = "CodeStorageExceededException"
        case eniNotReady = "ENINotReadyException"
        /// This engine's own: a task was forwarded as often as permitted and no site could take it.
        case hopLimitExceeded = "HopLimitExceededException"
        case incompleteSignature = "IncompleteSignatureException"
        case invalidParameterValue = "InvalidParameterValueException"
        case invalidRequestContent = "InvalidRequestContentException"
        case invalidSignature = "InvalidSignatureException"
        case invalidZipFile = "InvalidZipFileException"
        case missingAuthenticationToken = "MissingAuthenticationTokenException"
        case policyLengthExceeded = "PolicyLengthExceededException"
        case preconditionFailed = "PreconditionFailedException"
        case provisionedConcurrencyConfigNotFound = "ProvisionedConcurrencyConfigNotFoundException"
        case requestEntityTooLarge = "RequestEntityTooLargeException"
        case requestTooLarge = "RequestTooLargeException"
        case resourceConflict = "ResourceConflictException"
        case resourceInUse = "ResourceInUseException"
        case resourceNotFound = "ResourceNotFoundException"
        case resourceNotReady = "ResourceNotReadyException"
        case serialization = "SerializationException"
        case service = "ServiceException"
        /// A draining node; SDKs retry 503 by the status alone and then reach another one.
        case serviceUnavailable = "ServiceUnavailableException"
        case tooManyRequests = "TooManyRequestsException"
        case unknownOperation = "UnknownOperationException"
        case unrecognizedClient = "UnrecognizedClientException"
        case unsupportedMediaType = "UnsupportedMediaTypeException"
        case validation = "ValidationException"

        /// How a code is answered.
        public struct Row: Hashable, Sendable {
            /// HTTP status.
            public let status: Int
            /// `Type` of the body; `nil` where AWS sends none.
            public let type: Fault?
            /// `Message` or `message`.
            public let messageKey: String
            /// Whether the same request may succeed later without change.
            public let isRetryable: Bool
        }

        /// Who is at fault, as `Type` says it.
        public enum Fault: String, Hashable, Sendable {
            case user = "User"
            case service = "Service"
        }

        /// The error table. Source: botocore's service model and answers recorded on AWS (lambda-api.md, section 1).
        public var row: Row {
            switch self {
            case .accessDenied: Row(403, nil, "message")
            case .codeSigningConfigNotFound: Row(404, .user, "Message")
            case .codeStorageExceeded: Row(400, .user, "message")
            case .eniNotReady: Row(502, .service, "Message")
            case .hopLimitExceeded: Row(508, .service, "Message")
            case .incompleteSignature: Row(403, nil, "message")
            case .invalidParameterValue: Row(400, .user, "message")
            case .invalidRequestContent: Row(400, .user, "message")
            case .invalidSignature: Row(403, nil, "message")
            case .invalidZipFile: Row(502, .service, "Message")
            case .missingAuthenticationToken: Row(403, nil, "message")
            case .policyLengthExceeded: Row(400, .user, "message")
            case .preconditionFailed: Row(412, .user, "message")
            case .provisionedConcurrencyConfigNotFound: Row(404, .user, "message")
            case .requestEntityTooLarge: Row(413, nil, "message")
            case .requestTooLarge: Row(413, .user, "message")
            case .resourceConflict: Row(409, .user, "message")
            case .resourceInUse: Row(400, .user, "Message")
            case .resourceNotFound: Row(404, .user, "Message")
            case .resourceNotReady: Row(502, .service, "message")
            case .serialization: Row(400, nil, "message")
            case .service: Row(500, .service, "Message")
            case .serviceUnavailable: Row(503, .service, "Message")
            case .tooManyRequests: Row(429, .user, "message")
            case .unknownOperation: Row(404, nil, "message")
            case .unrecognizedClient: Row(403, nil, "message")
            case .unsupportedMediaType: Row(415, .user, "message")
            case .validation: Row(400, nil, "message")
            }
        }
    }
}

extension LambdaError.Code.Row {
    /// Throttling and the service's own faults pass; what the caller did wrong stays wrong.
    fileprivate init(_ status: Int, _ type: LambdaError.Code.Fault?, _ messageKey: String) {
        self.init(status: status, type: type, messageKey: messageKey, isRetryable: status == 429 || status >= 500)
    }
}
