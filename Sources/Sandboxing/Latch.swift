internal import Synchronization

/// A value that comes once, and tasks that wait for it.
final class Latch<Value: Sendable>: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Value?, Never>?)
        case open(Value?)
    }

    private let state = Mutex(State.waiting(nil))

    /// Gives the value; only the first counts.
    func open(_ value: Value?) {
        let continuation = state.withLock { state -> CheckedContinuation<Value?, Never>? in
            guard case .waiting(let continuation) = state else { return nil }
            state = .open(value)
            return continuation
        }
        continuation?.resume(returning: value)
    }

    /// Waits, one task at most. `nil` when the task is cancelled.
    func wait() async -> Value? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let value = state.withLock { state -> Value?? in
                    guard case .waiting = state else {
                        guard case .open(let value) = state else { return .none }
                        return .some(value)
                    }
                    state = .waiting(continuation)
                    return .none
                }
                if let value { continuation.resume(returning: value) }
            }
        } onCancel: {
            open(nil)
        }
    }
}
