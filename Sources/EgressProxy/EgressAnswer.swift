internal import EngineCore
internal import NIOCore
internal import NIOHTTP1

/// What the proxy itself says to the function: why there is no connection, and what to do about it.
struct EgressAnswer {
    let status: HTTPResponseStatus
    let text: String

    /// - Parameter detail: the reason in words, or the entry that would have permitted the connection.
    /// - Returns: `nil` for a verdict that leaves nobody to answer.
    init?(_ verdict: EgressRecord.Verdict, _ detail: String, limits: EgressLimits) {
        switch verdict {
        case .malformed: (status, text) = (.badRequest, "The request was refused: \(detail).")
        case .headerTooLarge:
            (status, text) = (.requestHeaderFieldsTooLarge, "The request's headers are larger than \(limits.headerBytesMax).")
        case .headerTimeout:
            (status, text) = (.requestTimeout, "The request's headers did not come within \(limits.headerTime).")
        case .deniedTarget:
            (status, text) = (.forbidden, "The function's egress list does not permit this. This entry would: \(detail)")
        case .deniedAddress:
            (status, text) = (.forbidden, "The name is permitted, but it leads to an address that is not: \(detail)")
        case .unresolvable: (status, text) = (.badGateway, "The name has no address.")
        case .unreachable: (status, text) = (.badGateway, "The target could not be reached: \(detail).")
        case .connectTimeout: (status, text) = (.gatewayTimeout, "There was no connection to the target within \(limits.connectTime).")
        case .idleTimeout: (status, text) = (.gatewayTimeout, "The target did not answer within \(limits.idleTime).")
        case .containerBytes:
            (status, text) = (.tooManyRequests, "The function's container has carried \(limits.containerBytesMax), all that it may.")
        case .tooManyConnections: (status, text) = (.serviceUnavailable, "There are too many connections: \(detail).")
        case .relayed, .connectionBytes, .clientGone, .closed: return nil
        }
    }

    var head: HTTPResponseHead {
        HTTPResponseHead(
            version: .http1_1, status: status,
            headers: [
                "Content-Type": "text/plain; charset=utf-8", "Content-Length": "\(text.utf8.count + 1)", "Connection": "close",
                "Proxy-Status": "wayside",
            ])
    }

    var body: ByteBuffer { ByteBuffer(string: text + "\n") }
}
