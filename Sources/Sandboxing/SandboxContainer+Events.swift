internal import EngineCore
internal import NIOCore
internal import Synchronization
internal import SystemPackage

// What happens to a container on its event loop.
extension SandboxContainer {
    /// How long the launcher's report may take after a runtime has closed its channel. One that closes it and lives on is killed.
    private static let reportDelay: TimeAmount = .milliseconds(500)

    // MARK: Descriptors

    /// Takes over the container's descriptors, in every case. From any thread: a runtime that speaks frames is told its function
    /// there and then, and the event loop listens as soon as it gets to it.
    ///
    /// - Parameter parked: what ``ParkedChannel/state`` said, of a runtime that an earlier process has left idle.
    func attach(_ given: ContainerDescriptors, resuming parked: UInt32? = nil) -> EventLoopFuture<Void> {
        // Weak, because the channel is held by the container and by the event loop.
        let onEvent: @Sendable (RuntimeEvent) -> Void = { [weak self] event in self?.handle(event) }
        let frames = manifest.bootsEarly ? FrameRuntimeChannel(given.channel, on: eventLoop, resuming: parked, onEvent: onEvent) : nil
        if let frames { state.withLock { $0.channel = frames } }
        initialise()
        return eventLoop.flatSubmit {
            let log = LogPipe(given.log, limit: self.owner.logBytesMax) { [weak self] in
                self?.state.withLock { $0.phase.isCapturing } ?? false
            }
            let bound = NIOLoopBound(log, eventLoop: self.eventLoop)
            return log.start(on: self.eventLoop)
                .flatMapErrorThrowing { error in
                    given.close()
                    throw error
                }
                .flatMap {
                    self.adopt(given, bound.value).flatMapErrorThrowing { error in
                        // Nobody takes it over any more; a socket is gone after close(2) whatever it answers.
                        try? given.channel.close()
                        try? given.connection?.close()
                        throw error
                    }
                }
                .flatMap { () -> EventLoopFuture<any RuntimeChannel> in
                    if let frames { return frames.open().map { $0 } }
                    guard let parked else { return RuntimeAPIServer.open(given.channel, on: self.eventLoop, onEvent: onEvent).map { $0 } }
                    return RuntimeAPIServer.open(
                        given.channel, resuming: given.connection, state: parked, on: self.eventLoop, onEvent: onEvent
                    ).map { $0 }
                }
                .map { self.attached($0) }
                .flatMapErrorThrowing { error in
                    frames?.close()
                    self.state.withLock { state in
                        state.channel = nil
                        // Without a channel no end of one will come.
                        state.isChannelClosed = true
                    }
                    throw error
                }
        }
    }

    /// All but the channel, which has its own way.
    private func adopt(_ given: ContainerDescriptors, _ log: LogPipe) -> EventLoopFuture<Void> {
        descriptors.value = Descriptors(log: log, cgroup: ContainerCgroup(given, version: owner.cgroupVersion))
        let version = state.withLock { state in
            state.isFreezable = given.freezer != nil && owner.freezeAfter != nil
            return state.version
        }
        guard let listener = given.egress, let egress = owner.egress, let version else {
            // A socket that nobody asked for.
            try? given.egress?.close()
            return eventLoop.makeSucceededVoidFuture()
        }
        // Without one, for want of descriptors, the container ends with this process.
        descriptors.value?.egressListener = try? listener.duplicate()
        return egress.serve(listener: listener.rawValue, for: version, container: id, on: eventLoop).map { session in
            // The container may have ended while its proxy was being opened.
            if self.descriptors.value == nil { session.end() } else { self.descriptors.value?.egress = session }
        }
    }

    private func attached(_ channel: any RuntimeChannel) {
        eventLoop.assertInEventLoop()
        let (isGone, hasEnded) = state.withLock { state in
            state.channel = channel
            if case .gone = state.phase { return (true, true) }
            return (false, state.end != nil)
        }
        if isGone { release() } else if hasEnded { channel.processEnded() }
    }

    /// Returns when the runtime is booted; at once for one that cannot boot before it knows its function.
    ///
    /// - Throws: `containerEnded` when it ended or did not boot within `limit`; it is then killed.
    func waitUntilBooted(within limit: Duration) async throws(SandboxError) {
        guard manifest.bootsEarly else {
            booted()
            return
        }
        let result = await withCheckedContinuation { (waiter: CheckedContinuation<Result<Void, SandboxError>, Never>) in
            let result = state.withLock { state -> Result<Void, SandboxError>? in
                switch state.phase {
                case .preparing:
                    state.phase = .preparing(waiter: waiter)
                    return nil
                case .spare: return .success(())
                default: return .failure(bootFailure)
                }
            }
            if let result { return waiter.resume(returning: result) }
            eventLoop.scheduleTask(in: .nanoseconds(limit.wholeNanoseconds)) { [weak self] in self?.bootExpired() }
        }
        try result.get()
    }

    private func bootExpired() {
        let isBooting = state.withLock { state in
            guard case .preparing = state.phase else { return false }
            return true
        }
        guard isBooting else { return }
        stopNewCalls()
        owner.launcher.postKillContainer(id)
    }

    private var bootFailure: SandboxError { SandboxError(.containerEnded, "the runtime of container \(id) did not boot") }

    /// A start has failed for a reason that is the function's own, and nothing is left of it.
    func beStillborn(_ reason: Stillbirth.Reason) {
        state.withLock { $0.phase = .stillborn(Stillbirth(reason: reason, output: InvocationLog())) }
        abandonPreloading()
    }

    /// Listens no more. On the event loop.
    func disconnect() {
        let channel = state.withLock { state in
            defer { state.channel = nil }
            return state.channel
        }
        channel?.close()
        descriptors.value?.log?.close()
    }

    /// Gives everything back. On the event loop.
    func release() {
        disconnect()
        descriptors.value?.egress?.end()
        try? descriptors.value?.egressListener?.close()
        descriptors.value?.cgroup.close()
        descriptors.value = nil
    }

    // MARK: The runtime

    private func handle(_ event: RuntimeEvent) {
        eventLoop.assertInEventLoop()
        // Whatever it is, it is the next process's to learn, which sees the same channel.
        guard !isBeingParked else { return }
        switch event {
        case .booted: booted()
        case .ready: ready()
        case .initialisationFailed(let body, let errorType): initialisationFailed(body, errorType)
        case .answered(let outcome, let errorType, let isLast):
            answered(CallVerdict(outcome, .function, errorType: errorType), isReusable: !isLast)
        case .streaming(let contentType): streaming(contentType: contentType)
        case .part(let bytes): streamed(bytes)
        case .failed(.callTooLarge):
            // The runtime has seen nothing of it and waits for its next call.
            guard let id = state.withLock({ $0.phase.call?.request.id }) else { return }
            answered(CallVerdict(.callTooLarge(id), .engine), isReusable: true)
        case .failed(.answerTooLarge(let isLast)):
            answered(CallVerdict(.responseTooLarge, .function), isReusable: !isLast)
        case .failed(.responseMode):
            guard let id = state.withLock({ $0.phase.call?.request.id }) else { return }
            answered(CallVerdict(.invalidResponseMode(id), .function), isReusable: false)
        case .failed(.truncated):
            guard let id = state.withLock({ $0.phase.call?.request.id }) else { return }
            answered(CallVerdict(.truncated(id), .function), isReusable: false)
        case .failed(.violation(let text)): violated(text)
        case .closed: channelClosed()
        }
    }

    private func booted() {
        let waiter = state.withLock { state -> CheckedContinuation<Result<Void, SandboxError>, Never>? in
            guard case .preparing(let waiter) = state.phase else { return nil }
            state.phase = .spare
            return waiter
        }
        waiter?.resume(returning: .success(()))
    }

    private func ready() {
        startMetering()
        // Read first: an assignment through `?` has the box to itself from its left side on.
        let used = descriptors.value?.cgroup.readMemoryUsage()
        descriptors.value?.memoryReady = used
        let call = state.withLock { state -> ContainerCall? in
            switch state.phase {
            case .assigned:
                state.phase = .assigned(isReady: true)
                return nil
            case .initialising(let call): return call
            default: return nil
            }
        }
        guard var call else { return beIdle() }
        let now = EngineInstant.now()
        call.initialise = now - call.began
        handOver(call, now: now)
    }

    private func initialisationFailed(_ body: ByteBuffer, _ errorType: String?) {
        state.withLock { state in
            if !state.hadCall { state.stillbirth = .failed(body, errorType: errorType) }
        }
        end { _ in CallVerdict(.functionError(body), .function, errorType: errorType) }
    }

    func answered(_ verdict: CallVerdict, isReusable: Bool) {
        let now = EngineInstant.now()
        var verdict = verdict
        let (call, isIdle, mustWatch) = state.withLock { state -> (ContainerCall?, Bool, Bool) in
            if let whole = state.collected, case .success? = verdict.outcome { verdict.outcome = .success(whole) }
            state.collected = nil
            switch state.phase {
            case .busy(let call):
                state.phase = isReusable ? .idle(since: now) : .ending(nil)
                return (call, isReusable, isReusable && state.startsFreezeTimer())
            case .ending(let call?):
                // It had answered before it ended.
                state.phase = .ending(nil)
                return (call, false, false)
            default: return (nil, false, false)
            }
        }
        guard let call else { return }
        // What its reader has not read yet is no reason to be deaf to the next call's answer.
        if call.request.results != nil { state.withLock { $0.channel }?.resume() }
        if mustWatch { setFreezeTimer() }
        answer(call, verdict, isReusable: isIdle)
        if !isReusable { kill() }
    }

    private func violated(_ text: String) {
        state.withLock { state in
            if !state.hadCall { state.stillbirth = .violation(text) }
        }
        end { call in CallVerdict(.protocolError(call.request.id, text), .exit) }
    }

    private func channelClosed() {
        let isReported = state.withLock { state in
            state.isChannelClosed = true
            return state.end != nil
        }
        guard !isReported else { return conclude() }
        stopNewCalls()
        eventLoop.scheduleTask(in: Self.reportDelay) { [weak self] in
            guard let self, self.state.withLock({ $0.end == nil }) else { return }
            self.violated("the runtime closed its channel")
        }
    }

    // MARK: Ends

    /// The launcher has reported the end, or has ended itself. From any thread.
    func ended(_ end: End) {
        eventLoop.execute {
            let (channel, isClosed) = self.state.withLock { state in
                state.end = end
                return (state.channel, state.isChannelClosed)
            }
            self.stopNewCalls()
            if case .lost = end {
                self.thawForGood()
                return self.conclude()
            }
            // What the process had sent before is still to be read.
            if isClosed { self.conclude() } else { channel?.processEnded() }
        }
    }

    /// Takes an open call along to `ending`.
    private func stopNewCalls() {
        let waiter = state.withLock { state -> CheckedContinuation<Result<Void, SandboxError>, Never>? in
            switch state.phase {
            case .initialising(let call), .thawing(let call), .busy(let call): state.phase = .ending(call)
            case .spare, .assigned, .idle, .freezing, .frozen, .parked: state.phase = .ending(nil)
            case .preparing(let waiter):
                state.phase = .ending(nil)
                return waiter
            case .ending, .stillborn, .gone: break
            }
            return nil
        }
        waiter?.resume(returning: .failure(bootFailure))
        abandonPreloading()
    }

    /// Ends the container and answers its call now: nobody waits for the process to be gone.
    ///
    /// - Parameter only: the call this is meant for; `nil` for whatever there is.
    func end(only request: RequestID? = nil, _ verdict: (ContainerCall) -> CallVerdict) {
        let call = state.withLock { state -> ContainerCall?? in
            let call = state.phase.call
            if let request, call?.request.id != request { return .none }
            switch state.phase {
            case .stillborn, .gone: return .none
            default: break
            }
            if call != nil { state.phase = .ending(nil) }
            return .some(call)
        }
        guard let call else { return }
        stopNewCalls()
        // Once it is killed its cgroup may be the next container's.
        let peak = call == nil ? nil : memoryPeak()
        owner.launcher.postKillContainer(id)
        if let call { answer(call, verdict(call), isReusable: false, peak: peak) }
    }

    func timerFired() {
        let now = EngineInstant.now()
        let (isOver, expiry) = state.withLock { state -> (Bool, EngineInstant?) in
            state.armed = nil
            guard let call = state.phase.call else { return (false, nil) }
            return call.expiry <= now ? (true, nil) : (false, state.arming(now: now))
        }
        if let expiry { arm(at: expiry, now: now) }
        guard isOver else { return }
        end { call in
            CallVerdict(.timedOut(call.request.id, after: call.limit, epochMilliseconds: CivilTime.epochMillisecondsNow()), .timeout)
        }
    }

    /// Everything is known: the process is gone and has nothing more to say, but what is still in its pipe.
    private func conclude() {
        let isFirst = state.withLock { state in
            defer { state.isConcluding = true }
            return !state.isConcluding
        }
        guard isFirst else { return }
        finishLog { self.conclude(with: $0) }
    }

    private func conclude(with output: InvocationLog) {
        let peak = memoryPeak()
        let (call, end, stillbirth) = state.withLock { state -> (ContainerCall?, End?, Stillbirth.Reason?) in
            let call = state.phase.call
            state.phase = .gone
            guard let reason = state.reasonOfStillbirth() else { return (call, state.end, nil) }
            // Before its first call, that is; which may be waiting here already.
            if !state.hadCall { state.phase = .stillborn(Stillbirth(reason: reason, output: output, memoryPeak: peak)) }
            return (call, state.end, reason)
        }
        if let call, let end { resume(call, verdict(for: call, end, stillbirth), output, isReusable: false) }
        if case .reported(let exit)? = end { meter(upTo: exit.cpuTime) }
        release()
        let isOver = state.withLock { state in
            guard case .gone = state.phase else { return false }
            return true
        }
        if isOver { owner.onEnded(id) }
    }

    private func verdict(for call: ContainerCall, _ end: End, _ stillbirth: Stillbirth.Reason?) -> CallVerdict {
        if let stillbirth { return CallVerdict(stillbirth, call.request.id) }
        // What ended the process was not this call.
        if call.isSurelyNotStarted { return CallVerdict(nil, .engine) }
        return switch end {
        case .lost: CallVerdict(nil, .engine)
        case .reported(let exit): CallVerdict(exit: exit.reason, call.request.id)
        }
    }

    // MARK: Answers

    /// Answers `call` with the output it has left, as soon as that is read. On the event loop.
    private func answer(_ call: ContainerCall, _ verdict: CallVerdict, isReusable: Bool, peak: ByteCount? = nil) {
        finishLog { self.resume(call, verdict, $0, isReusable: isReusable, peak: peak) }
    }

    private func finishLog(_ completion: @escaping (InvocationLog) -> Void) {
        guard let log = descriptors.value?.log else { return completion(InvocationLog()) }
        log.finish(completion)
    }

    private func resume(
        _ call: ContainerCall, _ verdict: CallVerdict, _ output: InvocationLog, isReusable: Bool, peak: ByteCount? = nil
    ) {
        let now = EngineInstant.now()
        let peak = peak ?? memoryPeak()
        if let handedOver = call.handedOver { record(duration: now - handedOver, peak, now: now) }
        let notStarted = verdict.outcome == nil && call.isSurelyNotStarted
        call.completion(
            ContainerAnswer(
                outcome: verdict.outcome, endingParty: verdict.party, errorType: verdict.errorType,
                output: output.adding(line: verdict.logLine),
                initialise: call.handedOver == nil && !call.foundFrozen ? now - call.began : call.initialise, thaw: call.thaw,
                run: call.handedOver.map { now - $0 } ?? .zero, memoryPeak: peak,
                stateHeld: call.request.affinity == nil ? nil : stateHeld(), isReusable: isReusable, surelyNotStarted: notStarted))
    }

    private func stateHeld() -> ByteCount? {
        guard let own = descriptors.value, let before = own.memoryReady, let now = own.cgroup.readMemoryUsage() else { return nil }
        return ByteCount(max(0, now - before))
    }

    private func memoryPeak() -> ByteCount? {
        if case .reported(let exit)? = state.withLock({ $0.end }), exit.memoryPeak > .zero { return exit.memoryPeak }
        return descriptors.value?.cgroup.readMemoryPeak().map { ByteCount($0) }
    }
}

extension SandboxContainer.State {
    /// Why the function could not begin; `nil` when it could, or when others have ended it.
    fileprivate func reasonOfStillbirth() -> Stillbirth.Reason? {
        guard version != nil, !isKilled, case .reported(let exit)? = end else { return nil }
        if let stillbirth { return stillbirth }
        return hadCall || exit.reason == .killed ? nil : .exited(exit.reason)
    }
}

extension InvocationLog {
    /// The log with a line of the engine's behind it, whatever its length.
    func adding(line: String?) -> InvocationLog {
        guard let line else { return self }
        var log = self
        if let last = log.text.readableBytesView.last, last != UInt8(ascii: "\n") { log.text.writeString("\n") }
        log.text.writeString("\(line)\n")
        return log
    }
}
