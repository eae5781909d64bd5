internal import Synchronization

/// An instance with one container beside the pools, in which a function is watched and that is ended afterwards.
final class Probe: Sendable {
    /// The bit that is set in the numbers of all probes and of nothing else: pools count from one and never come near it.
    private static let mark: UInt64 = 1 << 63

    let instance: UInt64
    let container: UInt64
    private let systemCalls = Mutex<[String]?>(nil)
    private let end = Latch<Void>()

    /// - Parameter number: new with each probe.
    init(_ number: UInt64) {
        instance = Self.mark | number
        container = Self.mark | number
    }

    /// Whether an instance or a container is a probe's.
    static func owns(_ id: UInt64) -> Bool { id & mark != 0 }

    func learned(_ id: UInt64, _ names: [String]) {
        if id == container { systemCalls.withLock { $0 = names } }
    }

    func containerEnded(_ id: UInt64) {
        if id == container { end.open(()) }
    }

    /// Waits until the container is gone.
    ///
    /// - Returns: the system calls it made, if the launcher recorded them; `nil` too when the task was cancelled.
    func waitUntilEnded() async -> [String]? {
        guard await end.wait() != nil else { return nil }
        return systemCalls.withLock { $0 }
    }
}
