import EngineCore

/// Runs `operation`, cancelling it when `deadline` has come.
///
/// - Parameter operation: must end soon after it is cancelled, since its end is waited for.
/// - Returns: what it returned, and whether the deadline came first.
func race<Value: Sendable>(
    until deadline: EngineInstant, _ operation: @Sendable @escaping () async -> Value
) async -> (value: Value, expired: Bool) {
    await withTaskGroup(of: Value?.self) { group in
        group.addTask { await operation() }
        group.addTask {
            // Ends early when the operation has ended or the caller is cancelled; both show in what is returned below.
            try? await Task.sleep(for: deadline - .now(), tolerance: .zero)
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
