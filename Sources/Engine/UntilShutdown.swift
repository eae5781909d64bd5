internal import ServiceLifecycle

/// A part that runs until it is cancelled, as a service that ends at a graceful shutdown.
struct UntilShutdown: Service, CustomStringConvertible {
    let description: String
    private let body: @Sendable () async throws -> Void

    init(_ description: String, _ body: @escaping @Sendable () async throws -> Void) {
        self.description = description
        self.body = body
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await body() }
        } catch is CancellationError {
            // The way such a part ends when it was told to.
        }
    }
}
