public import EngineCore
#if canImport(Glibc)
internal import Glibc
#endif
internal import NIOCore
internal import Synchronization
internal import SystemPackage

/// One container: a function version's place to run, or one that waits for its function.
///
///     preparing ──BOOTED──► spare ──assign──┐ (INIT)
///         │                                 ▼            first call                    READY
///         └──(started with its bundle)─► assigned ─────────────────► initialising ─────────────► busy
///                                                                                               │  ▲
///                                                                                        answer │  │ call
///                                                                                               ▼  │
///                                  thawing ◄──call── frozen ◄──(written)── freezing ◄──time── idle
///                                     └──(written, handed over)──► busy
///
///     idle, frozen, assigned and ready ── parked with the launcher ──► parked;  in the next process: (adopted) ──► frozen, or idle
///
///     each of them ── time-out, violation, abort, kill, end of the process ──► ending ── the launcher's report ──► gone
///                                                 (assigned, by itself: stillborn until its first call ──► gone)
///
/// A function begins to initialise when its bundle is there, for a call is never far; the first call waits for it.
///
/// Changes happen under one lock; what follows from them is done after it. A call begins on its caller's thread, everything else
/// happens on the container's event loop, where the answer resumes the caller. Nothing waits under the lock.
public final class SandboxContainer: Sendable {
    /// What a container needs of the host that made it.
    struct Owner: Sendable {
        let launcher: LauncherConnection
        let instance: UInt64
        /// Of its cgroup: 0 where none is usable.
        let cgroupVersion: Int
        let initTimeout: Duration
        let logBytesMax: ByteCount
        /// After how long without a call it is frozen; `nil` for never.
        let freezeAfter: Duration?
        let cpu: CPUAllowance
        let profiles: FunctionProfiles
        let egress: (any EgressServing)?
        /// Told once, when the container is gone and its first call, if it was one's, has been answered.
        let onEnded: @Sendable (UInt64) -> Void
    }

    struct State {
        var phase = ContainerPhase.preparing(waiter: nil)
        var version: PinnedVersion?
        /// What its runtime is to be told of its function, until it has been.
        var settings: InitialisationSettings?
        /// Whether the runtime may be told: the launcher has mounted the bundle.
        var isMounted = false
        var channel: (any RuntimeChannel)?
        var isChannelClosed = false
        /// The launcher's report, or `lost` with the launcher.
        var end: End?
        /// What went wrong before the first call.
        var stillbirth: Stillbirth.Reason?
        var hadCall = false
        var isKilled = false
        /// The launcher has it, and keeps it beyond this process.
        var isParked = false
        var isConcluding = false
        /// What has come of a streamed result that is wanted whole.
        var collected: ByteBuffer?
        /// A call whose client has gone before it began.
        var aborted: RequestID?
        /// When the timer that is set fires.
        var armed: EngineInstant?
        /// Whether it may be frozen at all: it has a freezer, and nobody is ending it.
        var isFreezable = false
        var isFreezeTimerSet = false
        /// Waits for the function to be initialised without a call; told once.
        var preloading: Latch<Bool>?
        /// What its calls are recorded in.
        var profile: FunctionProfiles.Entry?
        /// Calls since the cpu time was read.
        var callsUnmetered = 0
    }

    enum End {
        case reported(ContainerExit)
        case lost
    }

    /// What is touched on the event loop only.
    struct Descriptors {
        var log: LogPipe?
        var cgroup: ContainerCgroup
        /// The memory used when the function was ready; `nil` before, and for one of an earlier process.
        var memoryReady: Int?
        /// The cpu time when it was last read; `nil` before the function is ready.
        var cpuTime: Duration?
        var egress: (any EgressSession)?
        /// A second descriptor of the listener that the session serves.
        var egressListener: SystemPackage.FileDescriptor?
    }

    public let id: UInt64
    /// Where its answers arrive: a caller whose home is the same needs no other thread.
    public var home: ObjectIdentifier { ObjectIdentifier(eventLoop) }
    let manifest: RuntimeManifest
    let owner: Owner
    let eventLoop: any EventLoop
    let state = Mutex(State())
    let descriptors: NIOLoopBoundBox<Descriptors?>

    init(_ id: UInt64, manifest: RuntimeManifest, owner: Owner, eventLoop: any EventLoop) {
        self.id = id
        self.manifest = manifest
        self.owner = owner
        self.eventLoop = eventLoop
        descriptors = NIOLoopBoundBox.makeEmptyBox(valueType: Descriptors.self, eventLoop: eventLoop)
    }

    /// Makes a spare container the function's: its bundle is mounted and its limits are set.
    ///
    /// A bundle without an executable `bootstrap` is no error here: the first call is told, as on Lambda.
    ///
    /// - Parameters:
    ///   - bundle: the unpacked bundle, relative to the content folder.
    ///   - completion: called once, on the container's event loop, or before this returns. Fails with `containerEnded` when it is not
    ///     spare, `invalidArgument` when the runtime is another, and what the launcher says; the container then ends.
    public func assign(
        to version: PinnedVersion, bundle: String, completion: @escaping @Sendable (Result<Void, SandboxError>) -> Void
    ) {
        do throws(SandboxError) {
            let isSpare = state.withLock { state in
                guard case .spare = state.phase else { return false }
                return true
            }
            guard isSpare else { throw SandboxError(.containerEnded, "container \(id) has ended or has a function already") }
            var (specification, environment) = try adopt(version)
            specification.stages = .assign
            specification.bundle = bundle
            owner.launcher.startContainer(specification) { result in
                if case .success = result { self.mounted() }
                self.eventLoop.execute { completion(self.assigned(result.map { _ in })) }
            }
            prepareInitialisation(version, environment)
        } catch {
            completion(.failure(error))
        }
    }

    private func assigned(_ result: Result<Void, SandboxError>) -> Result<Void, SandboxError> {
        guard case .failure(let error) = result, let reason = stillbirth(of: error) else { return result }
        state.withLock { state in
            state.stillbirth = reason
            // The launcher's report of the end may have been quicker than this thread, and knows less.
            switch state.phase {
            case .gone where !state.hadCall, .stillborn: state.phase = .stillborn(Stillbirth(reason: reason, output: InvocationLog()))
            default: break
            }
        }
        return .success(())
    }

    /// Runs one call; the first one waits until the function is initialised.
    ///
    /// Initialising may take `initTimeout` or the function's own time-out, whichever is longer, and no longer than the call's
    /// deadline; the function's time-out counts from the event's handing over. (Lambda stops an initialisation after 10 s and
    /// begins it anew inside the first call under the function's time-out. The same functions can run, and nothing runs twice.)
    ///
    /// At most one call is under way: one more, and one that comes after the end, is answered as surely not started. When the
    /// task is cancelled the container is killed, for there is no other way to stop what it does, and the answer is `aborted`.
    public func invoke(_ request: InvocationRequest) async -> ContainerAnswer {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in begin(request) { continuation.resume(returning: $0) } }
        } onCancel: {
            abort(request.id)
        }
    }

    /// Runs one call without a task: what ``invoke(_:)`` does, for callers that are on an event loop already.
    ///
    /// - Parameter completion: called once; on the container's event loop, or before this returns.
    public func invoke(_ request: InvocationRequest, completion: @escaping @Sendable (ContainerAnswer) -> Void) {
        begin(request, completion)
    }

    /// Ends a call whose client has gone, and the container with it; nothing if it is over. From any thread.
    public func abort(_ request: RequestID) {
        let isUnderWay = state.withLock { state in
            guard state.phase.call?.request.id != request else { return true }
            state.aborted = request
            return false
        }
        guard isUnderWay else { return }
        eventLoop.execute { self.end(only: request) { _ in CallVerdict(nil, .client) } }
    }

    /// Ends the container, whatever it does. A call under way is answered as the engine's doing. One that is parked is not this
    /// process's to end any more.
    func kill() {
        let (wasStillborn, isParked) = state.withLock { state -> (Bool, Bool) in
            guard !state.isParked else { return (false, true) }
            state.isKilled = true
            guard case .stillborn = state.phase else { return (false, false) }
            state.phase = .gone
            return (true, false)
        }
        guard !isParked else { return }
        if wasStillborn { return owner.onEnded(id) }
        owner.launcher.postKillContainer(id)
        disconnectIfIdle()
    }

    /// Its instance is being ended, which the launcher does not say of each container beforehand. From any thread.
    func endWithInstance() {
        state.withLock { $0.isFreezable = false }
        disconnectIfIdle()
    }

    /// Of a container that is being ended and has no call nothing is to be heard any more: its processes end one by one, and the end of
    /// each would be news.
    private func disconnectIfIdle() {
        let isIdle = state.withLock { state in
            switch state.phase {
            case .idle, .frozen:
                state.phase = .ending(nil)
                (state.isKilled, state.isChannelClosed) = (true, true)
                return true
            default: return false
            }
        }
        if isIdle { eventLoop.execute { self.disconnect() } }
    }

    // MARK: Becoming a function's

    /// Takes over the function's settings. What is missing in the specification is where to start it and how far.
    func adopt(_ version: PinnedVersion) throws(SandboxError) -> (ContainerSpecification, LambdaEnvironment) {
        guard manifest.identifiers.contains(version.runtime) else {
            throw SandboxError(.invalidArgument, "runtime \(manifest.name) does not serve \(version.runtime)")
        }
        let logStream = LambdaEnvironment.newLogStream(for: version, epochMilliseconds: CivilTime.epochMillisecondsNow())
        let environment = LambdaEnvironment(for: version, manifest: manifest, logStream: logStream)
        let profile = owner.profiles.entry(of: version.key)
        state.withLock { state in
            state.version = version
            state.profile = profile
            state.phase = .assigned(isReady: false)
        }
        let isLate = manifest.kind == .execLate
        let specification = ContainerSpecification(
            instance: owner.instance, container: id, stages: [],
            flags: version.sandbox.isolation == .exec && manifest.kind == .fork ? .alone : [], runtime: manifest.name,
            limits: SandboxLimits(
                memory: version.memory, cpuMillis: owner.cpu.millis(for: version.memory),
                cpuWeight: CPUAllowance.weight(for: version.memory), processes: Self.processesMax),
            temporaryStorage: version.temporaryStorage, arguments: isLate ? ["bootstrap"] : [],
            environment: isLate ? environment.strings : [], systemCalls: version.sandbox.systemCalls ?? [],
            egressPort: version.sandbox.egress.isNone ? nil : EgressPort.number)
        return (specification, environment)
    }

    /// Makes what the runtime is to be told of its function, while the launcher works.
    func prepareInitialisation(_ version: PinnedVersion, _ environment: LambdaEnvironment) {
        guard manifest.bootsEarly else { return }
        let settings = InitialisationSettings(handler: version.handler, environment: environment)
        state.withLock { $0.settings = settings }
        initialise()
    }

    /// The launcher has mounted the bundle. On its connection's thread: the runtime is told from there, for it reads what it is told
    /// when it is up, and each thread that had to be woken before would be waited for.
    func mounted() {
        state.withLock { $0.isMounted = true }
        initialise()
    }

    /// Tells the runtime its function, as soon as it may be told, there is something to tell, and a way to.
    func initialise() {
        let (channel, settings) = state.withLock { state -> ((any RuntimeChannel)?, InitialisationSettings?) in
            guard state.isMounted, let channel = state.channel, let settings = state.settings else { return (nil, nil) }
            state.settings = nil
            return (channel, settings)
        }
        if let settings { channel?.initialise(settings) }
    }

    /// Processes and threads in one container; Lambda's number.
    static let processesMax = 1024

    /// Whether a failed start is the function's own doing, which its first call is told: a bundle without a program that can be executed,
    /// or a list of system calls that has a name which is none. `nil`: the engine's.
    func stillbirth(of error: SandboxError) -> Stillbirth.Reason? {
        if manifest.kind == .execLate, error.step == "exec" { return .noEntrypoint }
        return error.step == "seccomp" && error.systemError == EINVAL ? .invalidProfile : nil
    }

    // MARK: Calls

    private enum Beginning {
        case invoke(any RuntimeChannel)
        case wait
        case thaw
        case answer(ContainerAnswer)
        case stillborn(Stillbirth)
    }

    /// On the caller's thread.
    private func begin(_ request: InvocationRequest, _ completion: @escaping @Sendable (ContainerAnswer) -> Void) {
        let now = EngineInstant.now()
        var call = ContainerCall(request: request, completion: completion, began: now, expiry: request.deadline, limit: .zero)
        let (beginning, expiry) = state.withLock { state -> (Beginning, EngineInstant?) in
            guard state.aborted != request.id else { return (.answer(.abortedBefore), nil) }
            let beginning = Self.begin(&call, &state, now: now, initTimeout: owner.initTimeout)
            return (beginning, state.arming(now: now))
        }
        if let expiry { arm(at: expiry, now: now) }
        switch beginning {
        case .invoke(let channel): channel.invoke(request, deadline: Self.epochDeadline(call, now))
        case .wait: break
        case .thaw: requestThaw()
        case .answer(let answer): completion(answer)
        case .stillborn(let stillbirth): answerStillborn(call, stillbirth)
        }
    }

    private static func begin(
        _ call: inout ContainerCall, _ state: inout State, now: EngineInstant, initTimeout: Duration
    ) -> Beginning {
        defer { state.hadCall = true }
        switch state.phase {
        case .idle:
            return handOver(&call, &state, now: now)
        case .freezing, .frozen:
            call.limit = call.expiry - now
            call.foundFrozen = true
            state.phase = .thawing(call)
            return .thaw
        case .assigned(isReady: true):
            call.initialise = .zero
            return handOver(&call, &state, now: now)
        case .assigned(isReady: false):
            call.expiry = min(now + max(initTimeout, state.version?.timeout ?? .zero), call.request.deadline)
            call.limit = call.expiry - now
            state.phase = .initialising(call)
            return .wait
        case .ending(nil) where !state.hadCall && !state.isKilled:
            call.limit = call.expiry - now
            state.phase = .ending(call)
            return .wait
        case .stillborn(let stillbirth):
            state.phase = .gone
            return .stillborn(stillbirth)
        case .preparing, .spare, .initialising, .thawing, .busy, .parked, .ending, .gone:
            return .answer(.notStarted)
        }
    }

    /// The runtime is ready for `call`: its own time-out begins to count.
    private static func handOver(_ call: inout ContainerCall, _ state: inout State, now: EngineInstant) -> Beginning {
        guard let channel = state.channel, let version = state.version else { return .answer(.notStarted) }
        call.handedOver = now
        call.expiry = min(now + version.timeout, call.request.deadline)
        call.limit = call.expiry - now
        state.phase = .busy(call)
        return .invoke(channel)
    }

    /// What `call` has waited for, the initialisation or the thaw, is over. On the event loop.
    func handOver(_ call: ContainerCall, now: EngineInstant) {
        var call = call
        let (beginning, expiry) = state.withLock { state in (Self.handOver(&call, &state, now: now), state.arming(now: now)) }
        if let expiry { arm(at: expiry, now: now) }
        guard case .invoke(let channel) = beginning else {
            // There is no runtime any more to hand it to, so the call is still where it waited.
            return end { _ in CallVerdict(nil, .engine) }
        }
        channel.invoke(call.request, deadline: Self.epochDeadline(call, now))
    }

    private static func epochDeadline(_ call: ContainerCall, _ now: EngineInstant) -> Int64 {
        CivilTime.epochMillisecondsNow() + (call.expiry - now).wholeNanoseconds / 1_000_000
    }

    private func answerStillborn(_ call: ContainerCall, _ stillbirth: Stillbirth) {
        let verdict = CallVerdict(stillbirth.reason, call.request.id)
        call.completion(
            ContainerAnswer(
                outcome: verdict.outcome, endingParty: verdict.party, errorType: verdict.errorType,
                output: stillbirth.output.adding(line: verdict.logLine), initialise: .zero, memoryPeak: stillbirth.memoryPeak))
        owner.onEnded(id)
    }

    // MARK: The timer

    /// Sets a timer for the call under way. On the warm path one is set already: it fires early, sees that its call is long over
    /// and is set again for the one that is there then, if any.
    func arm(at expiry: EngineInstant, now: EngineInstant) {
        let delay = max(0, (expiry - now).wholeNanoseconds)
        eventLoop.scheduleTask(in: .nanoseconds(delay)) { [weak self] in self?.timerFired() }
    }
}

extension SandboxContainer.State {
    /// No later than the function's time-out would be over now, whatever it is that the call waits for before: then that needs no other.
    ///
    /// - Returns: when a timer has to be set for the call under way; `nil` if none has or an earlier one is set.
    mutating func arming(now: EngineInstant) -> EngineInstant? {
        guard let call = phase.call else { return nil }
        let expiry = version.map { min(call.expiry, now + $0.timeout) } ?? call.expiry
        if let armed, armed <= expiry { return nil }
        armed = expiry
        return expiry
    }
}
