internal import EngineCore
internal import NIOCore
internal import Synchronization

// Initialised before its first call, which then finds it as a later one would.
extension SandboxContainer {
    /// Returns when the function is initialised; the container is then idle.
    ///
    /// - Returns: false when it failed or took longer than an initialisation may. The container is to be killed then.
    public func waitUntilInitialised() async -> Bool {
        let latch = Latch<Bool>()
        let known = state.withLock { state -> Bool? in
            switch state.phase {
            case .assigned(isReady: false):
                state.preloading = latch
                return nil
            case .assigned(isReady: true):
                state.preloading = latch
                return true
            default: return false
            }
        }
        if known == false { return false }
        if known == true { eventLoop.execute { self.beIdle() } }
        let limit = max(owner.initTimeout, state.withLock { $0.version?.timeout } ?? .zero)
        let timer = eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { [weak self] in self?.abandonPreloading() }
        let isReady = await latch.wait() ?? false
        timer.cancel()
        return isReady
    }

    /// Ready without a call: idle from now on, if somebody waits for that. On the event loop.
    func beIdle() {
        let now = EngineInstant.now()
        let (latch, mustWatch) = state.withLock { state -> (Latch<Bool>?, Bool) in
            guard let latch = state.preloading, case .assigned(isReady: true) = state.phase else { return (nil, false) }
            state.preloading = nil
            // From here on it ends like one that has served.
            state.hadCall = true
            state.phase = .idle(since: now)
            return (latch, state.startsFreezeTimer())
        }
        if mustWatch { setFreezeTimer() }
        latch?.open(true)
    }

    /// It will not be ready. From any thread.
    func abandonPreloading() {
        let latch = state.withLock { state in
            defer { state.preloading = nil }
            return state.preloading
        }
        latch?.open(false)
    }
}
