import Glibc
import NIOCore
import NIOPosix

/// Why a connection to another node was not made, in words for its operator.
struct NotConnected: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error) {
        description =
            switch error {
            case let error as NIOConnectionError:
                if let last = error.connectionErrors.last { Self.reason(last.error) } else { "\(error.host) has no address" }
            case let error as ForwardingError: error.message
            default: Self.reason(error)
            }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case ChannelError.connectTimeout(let time): "no connection within \(time.nanoseconds / 1_000_000) ms"
        case ChannelError.eof: "the other end closed the connection while it was made"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        default: "no connection: \(error)"
        }
    }
}
