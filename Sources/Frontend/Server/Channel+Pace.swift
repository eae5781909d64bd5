import NIOCore

extension Channel {
    /// Returns when the event loop has done what it was given before.
    ///
    /// A response's writer hands bytes to the event loop without waiting for it, and stops only when the channel says that it is full,
    /// which the event loop has to find out first. Where it is busy a writer could run ahead of it without bound.
    func keepPace() async throws {
        try await eventLoop.submit {}.get()
    }
}
