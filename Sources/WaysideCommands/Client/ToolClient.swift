internal import AsyncHTTPClient
internal import NIOCore

/// The HTTP client of the command line: a node that does not answer is said at once instead of being tried again and again.
enum ToolClient {
    static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(3)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}
