internal import NIOCore
internal import NIOPosix

/// What a process that runs a node sets up before anything else.
public enum WaysideProcess {
    /// Lets tasks run on the event loops' own threads, so that a request does not change threads between its connection and its
    /// handler. To be called once, on the main thread, before the first task.
    ///
    /// - Returns: whether that was possible; where it was not, everything works, with a change of threads at each step.
    @discardableResult
    public static func runTasksOnEventLoops() -> Bool {
        NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
    }
}
