internal import CapacityPools
internal import EngineCore
internal import InvocationRouting
internal import Logging
internal import ServiceLifecycle

/// The outermost service: at shutdown it refuses new calls and waits for those under way before anything else ends.
struct Drain: Service, CustomStringConvertible {
    /// How often it looks whether the last call has been answered.
    static let tick = Duration.milliseconds(10)
    /// How long calls that are cut off may take to be answered.
    static let cutOffMax = Duration.seconds(5)

    let router: InvocationRouter
    let pool: ContainerPool
    let timeout: Duration
    let logger: Logger

    var description: String { "drain" }

    func run() async throws {
        try await gracefulShutdown()
        router.drain()
        logger.notice("draining", metadata: ["underWay": "\(router.underWayCount)"])
        try await waitUntilAnswered(timeout)
        guard router.underWayCount > 0 else { return }
        logger.warning("calls are cut off, the time to drain is over", metadata: ["underWay": "\(router.underWayCount)"])
        pool.endAll()
        try await waitUntilAnswered(Self.cutOffMax)
    }

    private func waitUntilAnswered(_ limit: Duration) async throws {
        let end = EngineInstant.now() + limit
        while router.underWayCount > 0, EngineInstant.now() < end { try await Task.sleep(for: Self.tick) }
    }
}
