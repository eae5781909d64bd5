internal import CSandboxProtocol
internal import EngineCore
internal import NIOCore
internal import Synchronization

// From one process to the next.
//
//     idle, frozen, assigned and ready ──► parked ──the launcher has it──► (released here, alive there)
//                                          ▲    │├──refused, or too late──► killed
//                                          │    └┴─not asking yet (Runtime API)──► thawed ──┐
//                                          └────────────── a moment later ─────────────────┘
//
//     adopted ──(channel, log, cgroup and egress served again)──► frozen (idle, where there is no freezer) ──call──► as ever
//
// It stands still before it is handed over and until its next call: nobody watches it meanwhile, and nobody reads what it writes.
extension SandboxContainer {
    /// How long a program may take to ask for its next event after it has answered its last, and how often that is looked at.
    private static let patience = Duration.milliseconds(1000)
    private static let look = TimeAmount.milliseconds(20)

    /// Gives the container to the launcher, if it is initialised and has no call. Afterwards it is nothing of this process any more.
    ///
    /// - Parameter limit: how long the launcher may take to answer.
    /// - Returns: false when it cannot be parked; its owner then ends it.
    func park(label: [UInt8], seconds: UInt32, within limit: Duration) async -> Bool {
        let latch = Latch<Bool>()
        eventLoop.execute {
            guard self.beginParking() else { return latch.open(false) }
            self.handToLauncher(label, seconds, until: .now() + Self.patience, latch)
        }
        let timer = eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { latch.open(false) }
        let isParked = await latch.wait() ?? false
        timer.cancel()
        return isParked
    }

    /// Whether its channel's events are no longer of concern here.
    var isBeingParked: Bool {
        state.withLock { state in
            if case .parked = state.phase { true } else { false }
        }
    }

    /// Takes no call from now on. On the event loop, as the rest of this file.
    private func beginParking() -> Bool {
        state.withLock { state in
            guard state.channel != nil, state.end == nil, !state.isKilled, !state.isChannelClosed else { return false }
            switch state.phase {
            case .idle, .frozen, .assigned(isReady: true): state.phase = .parked
            default: return false
            }
            return true
        }
    }

    private func handToLauncher(_ label: [UInt8], _ seconds: UInt32, until limit: EngineInstant, _ latch: Latch<Bool>) {
        // It may have ended meanwhile.
        let waiting = state.withLock { state -> (any RuntimeChannel)? in
            guard case .parked = state.phase, !state.isKilled, state.end == nil else { return nil }
            return state.channel
        }
        guard let waiting, let own = descriptors.value, own.cgroup.freezer == nil || own.cgroup.freeze() else { return latch.open(false) }
        guard let channel = waiting.park() else {
            guard EngineInstant.now() < limit else { return latch.open(false) }
            thawForGood()
            eventLoop.scheduleTask(in: Self.look) { self.handToLauncher(label, seconds, until: limit, latch) }
            return
        }
        guard let parking = parking(own, channel, label, seconds) else { return latch.open(false) }
        meter()
        owner.launcher.request(.parkContainer(parking)) { result in
            self.eventLoop.execute {
                if case .success = result { latch.open(self.parked()) } else { latch.open(false) }
            }
        }
    }

    private func parking(
        _ own: Descriptors, _ channel: ParkedChannel, _ label: [UInt8], _ seconds: UInt32
    ) -> ContainerParking? {
        guard let log = own.log, log.isQuiet, own.egress == nil || own.egressListener != nil else { return nil }
        var given = [(kind: WS_DESCRIPTOR_CHANNEL, descriptor: channel.channel), (WS_DESCRIPTOR_LOG, log.descriptor)]
        let optional = [
            (WS_DESCRIPTOR_MEMORY, own.cgroup.memoryPeak), (WS_DESCRIPTOR_CPU, own.cgroup.cpuTime),
            (WS_DESCRIPTOR_FREEZER, own.cgroup.freezer), (WS_DESCRIPTOR_EGRESS, own.egressListener),
            (WS_DESCRIPTOR_CONNECTION, channel.connection),
        ]
        for (kind, descriptor) in optional {
            if let descriptor { given.append((kind, descriptor)) }
        }
        return ContainerParking(container: id, seconds: seconds, state: channel.state, label: label, descriptors: given)
    }

    /// The launcher has its descriptors: ours are given back.
    ///
    /// - Returns: false when it has been ended meanwhile.
    private func parked() -> Bool {
        let isParked = state.withLock { state in
            guard case .parked = state.phase, !state.isKilled else { return false }
            state.isParked = true
            return true
        }
        if isParked { release() }
        return isParked
    }

    /// Goes on with a container that an earlier process has parked. From any thread, once.
    ///
    /// - Returns: when it takes calls; fails when its descriptors cannot be used.
    func resume(_ kept: KeptContainer, for version: PinnedVersion) -> EventLoopFuture<Void> {
        let profile = owner.profiles.entry(of: version.key)
        let hasFreezer = kept.descriptors.freezer != nil
        state.withLock { state in
            (state.version, state.profile, state.isMounted, state.hadCall) = (version, profile, true, true)
            state.phase = hasFreezer ? .frozen : .idle(since: .now())
        }
        return attach(kept.descriptors, resuming: kept.message.state).map {
            self.startMetering()
            // Where nothing is ever frozen, it would wait for its first call to go on with what it does between calls.
            guard hasFreezer, self.owner.freezeAfter == nil else { return }
            self.thawForGood()
            self.state.withLock { state in
                if case .frozen = state.phase { state.phase = .idle(since: .now()) }
            }
        }
    }
}
