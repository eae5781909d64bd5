internal import AsyncHTTPClient
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

/// The HTTP client of the command line: a node that does not answer is said at once instead of being tried again and again.
enum ToolClient {
    static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(3)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Why there was no answer, in the system's words where it has some.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: Errno(rawValue: error.errnoCode).description
        case let error as HTTPClientError where error == .connectTimeout: "it does not take the connection"
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "'\(error.host)' has no address"
        default: "\(error)"
        }
    }
}
