internal import EngineCore
internal import NIOCore
internal import Synchronization

// Freezing between calls, and the metering that goes with it.
//
//     idle ──freezeAfter without a call──► freezing ──written──► frozen
//       ▲                                     │ a call              │ a call
//       └───── answer ◄── busy ◄──thawed, frame written── thawing ◄─┘
//
// Both writes happen on the event loop, so they have an order: a call that finds the container freezing asks for a thaw that
// comes after the write. A container that somebody ends is thawed by the launcher, once; one that was being frozen at that moment
// is thawed again here, for under v1 a frozen process is deaf even to SIGKILL.
//
// There is one timer at most, set when a call is answered and none is set. It looks how long the container has been idle and sets
// itself again for the rest, so that calls in quick succession pay for one timer in each `freezeAfter`, not one each. A runtime that has
// answered and does not wait for its next call yet is given another `freezeAfter`, until `askingTime` is over: stopped on its way there, it
// would be found deaf by the next process, to which it may be left.
extension SandboxContainer {
    /// How long a runtime that has answered may take to ask for its next call before it is frozen without having asked.
    private static let askingTime: Duration = .seconds(1)

    /// Watches a container that has become idle. On the event loop.
    ///
    /// Up to a quarter of `freezeAfter` later, at one of the moments that all containers have in common: where many become idle, the
    /// event loop wakes up once for several.
    func setFreezeTimer(in delay: Duration? = nil) {
        guard let freezeAfter = owner.freezeAfter else { return }
        let (step, now) = (max(1, freezeAfter.wholeNanoseconds / 4), Int64(NIODeadline.now().uptimeNanoseconds))
        let due = (now + (delay ?? freezeAfter).wholeNanoseconds + step - 1) / step * step
        eventLoop.scheduleTask(in: .nanoseconds(due - now)) { [weak self] in self?.freezeTimerFired() }
    }

    private func freezeTimerFired() {
        guard let freezeAfter = owner.freezeAfter else { return }
        let now = EngineInstant.now()
        let isWaiting = state.withLock({ $0.channel })?.isWaiting ?? false
        let left = state.withLock { state -> Duration? in
            state.isFreezeTimerSet = false
            guard state.isFreezable, !state.isKilled, case .idle(let since) = state.phase else { return nil }
            // One that does not ask for its next call within a while is frozen all the same: it must not choose to run between calls.
            let mayWait = !isWaiting && now - since < freezeAfter + Self.askingTime
            let left = mayWait ? freezeAfter : freezeAfter - (now - since)
            if left > .zero { state.isFreezeTimerSet = true } else { state.phase = .freezing }
            return left
        }
        if let left, left > .zero { setFreezeTimer(in: left) } else if left != nil { freeze() }
        meter()
    }

    private func freeze() {
        let isTaken = descriptors.value?.cgroup.freeze() ?? false
        let mustThaw = state.withLock { state in
            switch state.phase {
            case .freezing where isTaken && state.isFreezable && !state.isKilled:
                state.phase = .frozen
                return false
            case .freezing:
                // The kernel does not take it, so asking again is of no use; or it is being ended.
                state.isFreezable = false
                state.phase = .idle(since: .now())
                return true
            case .thawing:
                // Its thaw is on its way.
                return false
            default:
                return true
            }
        }
        if mustThaw { thawForGood() }
    }

    /// Has the container thawed for the call that has just come. From any thread.
    func requestThaw() {
        if eventLoop.inEventLoop { thaw() } else { eventLoop.execute { self.thaw() } }
    }

    private func thaw() {
        let waiting = state.withLock { state -> ContainerCall? in
            guard case .thawing(let call) = state.phase else { return nil }
            return call
        }
        // It may have been ended meanwhile.
        guard var call = waiting else { return }
        guard descriptors.value?.cgroup.thaw() == true else { return end { _ in CallVerdict(nil, .engine) } }
        let now = EngineInstant.now()
        call.thaw = now - call.began
        handOver(call, now: now)
    }

    /// Thaws a container that is being ended; harmless for one that is not frozen or not there any more. On the event loop.
    func thawForGood() { _ = descriptors.value?.cgroup.thaw() }

    // MARK: Metering (on the event loop)

    /// The function is ready: what was used before is not its calls'.
    func startMetering() {
        // Read before it is written to: one access at a time.
        let used = descriptors.value?.cgroup.readCPUTime()
        descriptors.value?.cpuTime = used
    }

    /// Gives the cpu time since the last reading to the calls that were answered since.
    ///
    /// - Parameter end: all that the container has used, when it has ended; `nil` reads it.
    func meter(upTo end: Duration? = nil) {
        guard let before = descriptors.value?.cpuTime else { return }
        let (profile, calls) = state.withLock { state in
            defer { state.callsUnmetered = 0 }
            return (state.profile, state.callsUnmetered)
        }
        guard let profile, calls > 0, let now = end ?? descriptors.value?.cgroup.readCPUTime(), now >= before else { return }
        descriptors.value?.cpuTime = now
        profile.record(cpuTime: now - before, ofCalls: calls)
    }

    func record(duration: Duration, _ memoryPeak: ByteCount?, now: EngineInstant) {
        let profile = state.withLock { state in
            state.callsUnmetered += 1
            return state.profile
        }
        profile?.record(duration: duration, memoryPeak: memoryPeak, now: now)
    }
}

extension SandboxContainer.State {
    /// - Returns: whether a timer has to be set for a container that has become idle.
    mutating func startsFreezeTimer() -> Bool {
        guard isFreezable, !isFreezeTimerSet else { return false }
        isFreezeTimerSet = true
        return true
    }
}
