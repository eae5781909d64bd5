import NIOPosix

/// Runs what blocks on threads made for it, and keeps its typed error.
struct BlockingWork: Sendable {
    let pool: NIOThreadPool

    func run<Value: Sendable>(_ work: @escaping @Sendable () throws(LambdaError) -> Value) async throws(LambdaError) -> Value {
        let result: Result<Value, LambdaError>
        do {
            result = try await pool.runIfActive { () -> Result<Value, LambdaError> in
                do throws(LambdaError) { return .success(try work()) } catch { return .failure(error) }
            }
        } catch {
            // The pool is shutting down, or the client has gone before the work began.
            throw LambdaError(.serviceUnavailable, "This node is shutting down. Try again.")
        }
        return try result.get()
    }
}
