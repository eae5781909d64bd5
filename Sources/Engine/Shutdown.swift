internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

/// The signals that end this node. It is known which one it was before any part is told to end: what a part asks while it ends must not
/// depend on which of two listeners woke first.
final class Shutdown: Sendable {
    private let interrupted = Atomic(false)

    /// Whether it came by hand (SIGINT), and not from a supervisor that will start the node again (SIGTERM).
    var isInterrupted: Bool { interrupted.load(ordering: .acquiring) }

    /// Runs the group to its end, which the first SIGTERM or SIGINT begins.
    func run(_ group: ServiceGroup) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                for await signal in signals {
                    if signal == .sigint { self.interrupted.store(true, ordering: .releasing) }
                    await group.triggerGracefulShutdown()
                }
            }
            try await group.run()
            tasks.cancelAll()
        }
    }
}
