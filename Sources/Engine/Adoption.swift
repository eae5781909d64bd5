internal import CapacityPools
internal import EngineCore
internal import Logging
internal import Sandboxing
internal import ServiceLifecycle
internal import Synchronization

/// Takes over the warm containers that this node's previous process has left with the launcher. The listeners wait for it, so that a call
/// does not miss a container that is about to serve on.
final class Adoption: Service, CustomStringConvertible {
    /// How long listeners wait at most. Later, what is adopted comes to calls that are under way already.
    static let waitMax = Duration.seconds(2)
    private static let poll = Duration.milliseconds(2)

    private let host: SandboxHost
    private let logger: Logger
    private let adopt: @Sendable () async -> Void
    private let isOver = Atomic(false)

    /// - Parameter adopt: called once, when the launcher takes requests.
    init(host: SandboxHost, logger: Logger, adopt: @escaping @Sendable () async -> Void) {
        self.host = host
        self.logger = logger
        self.adopt = adopt
    }

    var description: String { "adoption" }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.adoptWhenReady() }
        isOver.store(true, ordering: .releasing)
        // A service that ends before it is told to ends the node.
        try await gracefulShutdown()
    }

    private func adoptWhenReady() async {
        while !Task.isCancelled {
            do throws(SandboxError) {
                try await host.waitUntilReady()
                return await adopt()
            } catch {
                // The host says why, and goes on trying.
                logger.debug("the launcher is not ready to give back what is parked", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Returns when there is nothing left to adopt, or ``waitMax`` is over.
    func waitUntilOver() async {
        let limit = EngineInstant.now() + Self.waitMax
        while !isOver.load(ordering: .acquiring), EngineInstant.now() < limit, (try? await Task.sleep(for: Self.poll)) != nil {}
    }
}
