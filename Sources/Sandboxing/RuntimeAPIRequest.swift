internal import NIOHTTP1

/// What a runtime asks of the Lambda Runtime API.
enum RuntimeAPIRequest: Hashable {
    case next
    case response(id: String)
    case error(id: String)
    case initialisationError
    /// Snapshots do not exist here: there is nothing to restore and nothing to fail at.
    case restoreNext
    case restoreError
    case ping

    private static let prefix = "/2018-06-01/"

    /// The two requests of every call, without taking the path apart.
    private static func frequent(_ method: HTTPMethod, _ uri: String) -> RuntimeAPIRequest? {
        let prefix = "/2018-06-01/runtime/invocation/"
        let suffix = "/response"
        if method == .GET { return uri == "/2018-06-01/runtime/invocation/next" ? .next : nil }
        guard method == .POST, uri.hasPrefix(prefix), uri.hasSuffix(suffix) else { return nil }
        let id = uri.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
        guard id.count == 36, !id.contains(UInt8(ascii: "/")) else { return nil }
        return .response(id: String(Substring(id)))
    }

    /// - Returns: `nil` for a path or a method that the API does not have.
    init?(_ method: HTTPMethod, uri: String) {
        if let frequent = Self.frequent(method, uri) {
            self = frequent
            return
        }
        let path = uri.prefix { $0 != "?" }
        guard path.hasPrefix(Self.prefix) else { return nil }
        let parts = path.dropFirst(Self.prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        switch (method, parts.count) {
        case (.GET, 3) where parts[0] == "runtime" && parts[1] == "invocation" && parts[2] == "next": self = .next
        case (.GET, 3) where parts[0] == "runtime" && parts[1] == "restore" && parts[2] == "next": self = .restoreNext
        case (.GET, 1) where parts[0] == "ping": self = .ping
        case (.POST, 3) where parts[0] == "runtime" && parts[1] == "init" && parts[2] == "error": self = .initialisationError
        case (.POST, 3) where parts[0] == "runtime" && parts[1] == "restore" && parts[2] == "error": self = .restoreError
        case (.POST, 4) where parts[0] == "runtime" && parts[1] == "invocation" && parts[3] == "response":
            self = .response(id: String(parts[2]))
        case (.POST, 4) where parts[0] == "runtime" && parts[1] == "invocation" && parts[3] == "error":
            self = .error(id: String(parts[2]))
        default: return nil
        }
    }
}

/// Header names of the Lambda Runtime API.
enum RuntimeAPIHeader {
    static let requestID: StaticString = "Lambda-Runtime-Aws-Request-Id"
    static let deadline: StaticString = "Lambda-Runtime-Deadline-Ms"
    static let invokedARN: StaticString = "Lambda-Runtime-Invoked-Function-Arn"
    static let traceID: StaticString = "Lambda-Runtime-Trace-Id"
    static let clientContext: StaticString = "Lambda-Runtime-Client-Context"
    static let errorType = "Lambda-Runtime-Function-Error-Type"
    static let errorBody = "Lambda-Runtime-Function-Error-Body"
    static let responseMode = "Lambda-Runtime-Function-Response-Mode"
}
