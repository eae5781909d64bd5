import NIOCore

/// Runs `operation` and cancels it when the stream is reset or its connection is lost.
///
/// Hummingbird's `consumeWithCancellationOnInboundClose` does the same by reading the stream, but that lets the server close
/// the stream before a large answer has left it.
///
/// - Parameter operation: must end soon after it is cancelled, since its end is waited for.
func withCancellation<Value: Sendable>(
    onCloseOf stream: any Channel, _ operation: @Sendable @escaping () async -> Value
) async -> Value {
    let (closed, close) = AsyncStream<Void>.makeStream()
    stream.closeFuture.whenComplete { _ in close.finish() }
    return await withTaskGroup(of: Value?.self) { group in
        group.addTask { await operation() }
        group.addTask {
            for await _ in closed {}
            return nil
        }
        while let first = await group.next() {
            group.cancelAll()
            if let value = first { return value }
        }
        preconditionFailure("The operation is one of the tasks, so it ends before the group does.")
    }
}
