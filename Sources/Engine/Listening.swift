internal import NIOCore
internal import ServiceLifecycle
internal import SystemPackage

/// A server, whose failure to listen is said in the words of the configuration.
struct Listening: Service, CustomStringConvertible {
    /// The configuration key of its address.
    let key: String
    let address: EngineConfiguration.Listener
    let server: any Service
    /// What is over before it listens.
    let adoption: Adoption

    var description: String { key }

    func run() async throws {
        await cancelWhenGracefulShutdown { await adoption.waitUntilOver() }
        do {
            try await server.run()
        } catch let error as IOError {
            let reason = Errno(rawValue: error.errnoCode)
            throw ConfigurationError("\(key): cannot listen on \(address.host):\(address.port) (\(reason)); give a free address")
        }
    }
}
