internal import EngineCore
internal import InvocationRouting
internal import Logging
internal import ServiceLifecycle

/// The outermost service: at shutdown it refuses new calls and waits for those under way before anything else ends.
struct Drain: Service, CustomStringConvertible {
    /// How often it looks whether the last call has been answered.
    static let tick = Duration.milliseconds(10)

    let router: InvocationRouter
    let timeout: Duration
    let logger: Logger

    var description: String { "drain" }

    func run() async throws {
        try await gracefulShutdown()
        router.drain()
        logger.notice("draining", metadata: ["underWay": "\(router.underWayCount)"])
        let end = EngineInstant.now() + timeout
        while router.underWayCount > 0, EngineInstant.now() < end {
            try await Task.sleep(for: Self.tick)
        }
        if router.underWayCount > 0 {
            logger.warning("calls are cut off, the time to drain is over", metadata: ["underWay": "\(router.underWayCount)"])
        }
    }
}
