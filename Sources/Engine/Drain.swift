internal import CapacityPools
internal import EngineCore
internal import InvocationRouting
internal import Logging
internal import ServiceLifecycle

/// The outermost service: at shutdown it refuses new calls and waits for those under way before anything else ends. Then what is warm
/// is left with the launcher for the node's next process, unless it was interrupted by hand (SIGINT).
struct Drain: Service, CustomStringConvertible {
    /// How often it looks whether the last call has been answered.
    static let tick = Duration.milliseconds(10)
    /// How long calls that are cut off may take to be answered.
    static let cutOffMax = Duration.seconds(5)

    let router: InvocationRouter
    let pool: ContainerPool
    let timeout: Duration
    /// `nil`: nothing is left.
    let parkTime: Duration?
    let affinity: ParkedAffinity
    /// Whether the shutdown was asked for by hand.
    let isInterrupted: @Sendable () -> Bool
    /// Called when new calls are refused from now on.
    let onDrain: @Sendable () -> Void
    let logger: Logger

    var description: String { "drain" }

    func run() async throws {
        try await gracefulShutdown()
        try await drain()
        if let parkTime, !isInterrupted() { await park(for: parkTime) }
    }

    private func drain() async throws {
        router.drain()
        onDrain()
        pool.beginDraining()
        logger.notice("draining", metadata: ["underWay": "\(router.underWayCount)"])
        try await waitUntilAnswered(timeout)
        guard router.underWayCount > 0 else { return }
        logger.warning("calls are cut off, the time to drain is over", metadata: ["underWay": "\(router.underWayCount)"])
        pool.endAll()
        try await waitUntilAnswered(Self.cutOffMax)
    }

    private func park(for time: Duration) async {
        let (rows, count) = await pool.park(for: time)
        affinity.write(rows)
        if count > 0 { logger.notice("warm containers wait for the next start", metadata: ["containers": "\(count)", "for": "\(time)"]) }
    }

    private func waitUntilAnswered(_ limit: Duration) async throws {
        let end = EngineInstant.now() + limit
        while router.underWayCount > 0, EngineInstant.now() < end { try await Task.sleep(for: Self.tick) }
    }
}
