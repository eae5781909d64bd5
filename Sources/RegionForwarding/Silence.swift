import EngineCore
import Synchronization

/// How long a peer may be silent: from when something is expected of it, until it comes. Time in which nothing is expected, because
/// what it has sent already is being passed on, does not count.
final class Silence: Sendable {
    private let limit: Mutex<EngineInstant?>
    /// How often it is looked again while nothing is expected.
    private let pause: Duration

    /// Something is expected until `limit`.
    init(until limit: EngineInstant, pause: Duration) {
        self.limit = Mutex(limit)
        self.pause = pause
    }

    /// `nil`: nothing is expected.
    func expect(until limit: EngineInstant?) { self.limit.withLock { $0 = limit } }

    /// Runs `operation`, cancelling it when what it expects has not come in time.
    ///
    /// - Parameter operation: must end soon after it is cancelled, since its end is waited for.
    /// - Returns: what it returned, and whether the limit came first.
    func ending<Value: Sendable>(_ operation: @Sendable @escaping () async -> Value) async -> (value: Value, expired: Bool) {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await operation() }
            group.addTask {
                await self.wait()
                return nil
            }
            var expired = false
            while let first = await group.next() {
                group.cancelAll()
                if let value = first { return (value, expired) }
                expired = !Task.isCancelled
            }
            preconditionFailure("The operation is one of the tasks, so it ends before the group does.")
        }
    }

    /// Returns when the limit has passed, or the task is cancelled.
    private func wait() async {
        while !Task.isCancelled {
            let left = limit.withLock { $0 }.map { $0 - .now() } ?? pause
            guard left > .zero else { return }
            // Ends early when the operation has ended; the loop sees it.
            try? await Task.sleep(for: left, tolerance: .zero)
        }
    }
}
