public import EngineCore
internal import Logging
internal import Sandboxing
internal import Synchronization

// A caller takes a container, waits for one, and gives it back.
extension ContainerPool {
    /// Runs `body` with a container for this request that serves nobody else meanwhile. No wait for capacity exceeds its deadline.
    ///
    /// - Parameters:
    ///   - isAnnounced: it was asked for before: by ``weigh(_:_:)``, or by this.
    ///   - isWarmOnly: nothing is started for it, and it waits for nothing but a start that is under way without a call; `overloaded` then.
    ///   - body: answers its value and, unless the container can serve no other call, what to give back.
    /// - Throws: `overloaded` when there is neither room nor a place to wait; `noPermission`, `rejectedByPolicy`, `reservedConcurrency`,
    ///   `variableCapacity`, `affinity` as these say; `startFailed`, `codeUnavailable`, `deadlineExceeded`; `aborted` when the
    ///   task was cancelled.
    public func withLease<Value: Sendable>(
        for request: InvocationRequest, isAnnounced: Bool = false, isWarmOnly: Bool = false,
        _ body: (ContainerLease) async -> (value: Value, giveBack: GiveBack)
    ) async throws(InvocationError) -> Value {
        let lease = try await acquire(request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly)
        let (value, giveBack) = await body(lease)
        self.giveBack(lease, giveBack)
        return value
    }

    /// In what state a lease's container comes back.
    public struct GiveBack: Sendable {
        /// Whether it may serve another call.
        public var keep: Bool
        /// What calls have left in it, where that is known.
        public var state: ByteCount?
        public var ran: Duration?
        /// How long the call waited for the function's code to load, if it did.
        public var initialise: Duration?

        public init(keep: Bool, state: ByteCount? = nil, ran: Duration? = nil, initialise: Duration? = nil) {
            self.keep = keep
            self.state = state
            self.ran = ran
            self.initialise = initialise
        }
    }

    /// An idle container of this version, if there is one and the function's concurrency permits; to be given back exactly once.
    public func takeWarm(for version: PinnedVersion) -> ContainerLease? {
        guard let kind = kind(of: version) else { return nil }
        let home = host.currentHome
        let concurrencyMax = surroundings.concurrencyMax(version.key)
        let (grant, container) = state.withLock { state -> (ContainerGrant?, SandboxContainer?) in
            guard let id = state.machine.leaseWarm(kind, home: home, concurrencyMax: concurrencyMax, now: .now()) else { return (nil, nil) }
            return (state.machine.grant(id), state.held[id]?.container)
        }
        guard let grant else { return nil }
        var capacity = InvocationRecord.Capacity()
        capacity.take(grant)
        return try? lease(grant.container, container, capacity)
    }

    public func giveBack(_ lease: ContainerLease, _ giveBack: GiveBack) {
        perform(
            state.withLock { state in
                if let took = giveBack.initialise { state.machine.noteInitialised(lease.id, in: took) }
                return state.machine.release(lease.id, keep: giveBack.keep, state: giveBack.state, ran: giveBack.ran, now: .now())
            })
    }

    // MARK: -

    private func acquire(
        _ request: InvocationRequest, isAnnounced: Bool, isWarmOnly: Bool
    ) async throws(InvocationError) -> ContainerLease {
        let version = request.function
        guard let kind = kind(of: version) else {
            throw InvocationError(.startFailed, "This node has no runtime for '\(version.runtime)'. Install it or use another runtime.")
        }
        let asked = EngineInstant.now()
        do throws(SandboxError) {
            // At once, unless the launcher is being started.
            try await host.waitUntilReady()
        } catch {
            throw InvocationError(.startFailed, "The launcher of this node does not start. Look at the node's log.")
        }
        var wish = wish(request, kind)
        (wish.isAnnounced, wish.isWarmOnly) = (isAnnounced, isWarmOnly)
        let (answer, reason) = try await place(wish, version, until: request.deadline)
        let wait = EngineInstant.now() - asked
        var capacity = InvocationRecord.Capacity()
        capacity.waitedFor = reason
        guard let answer else { throw Self.timedOut(reason) }
        switch answer {
        case .warm(let grant):
            capacity.take(grant)
            var lease = try lease(grant.container, state.withLock { $0.held[grant.container]?.container }, capacity)
            lease.wait = wait
            return lease
        case .start(let plan):
            capacity.take(plan)
            var lease = try await start(plan, version, capacity)
            lease.wait = wait
            return lease
        case .refused(let refusal): throw refusal.error(version)
        case .wait: throw InvocationError(.internalFailure, "A wait for capacity was answered by another. Report this.")
        }
    }

    private func wish(_ request: InvocationRequest, _ kind: ContainerClass) -> CapacityRequest {
        let profile = host.profile(of: kind.function)
        return CapacityRequest(
            kind, permission: surroundings.permission(kind.account), home: host.currentHome, affinity: request.affinity,
            deferral: request.deferral, concurrencyMax: surroundings.concurrencyMax(kind.function), deadline: request.deadline,
            duration: profile?.duration)
    }

    /// The machine's answer, waited for if it says so; `nil` when the time to wait was over. With what was waited for.
    private func place(
        _ wish: CapacityRequest, _ version: PinnedVersion, until deadline: EngineInstant
    ) async throws(InvocationError) -> (LeaseAnswer?, CapacityWait?) {
        let (answer, actions) = state.withLock { state in
            let (answer, actions) = state.machine.lease(wish, now: .now())
            if case .wait(let waiter, _) = answer {
                state.waiting[waiter] = Waiting(deadline: deadline)
            }
            // What the machine may ask to be started ahead, it knows from calls.
            if state.versions[version.revision] == nil { state.remember(version) }
            return (answer, actions)
        }
        perform(actions)
        guard case .wait(let waiter, let reason) = answer else { return (answer, nil) }
        let late = await wait(waiter)
        if let late {
            if !Task.isCancelled { return (late, reason) }
            giveBack(late)
        }
        if Task.isCancelled { throw InvocationError(.aborted, "The client has gone.") }
        return (nil, reason)
    }

    private func wait(_ waiter: WaiterID) async -> LeaseAnswer? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<LeaseAnswer?, Never>) in
                let early = state.withLock { state -> LeaseAnswer?? in
                    guard let waiting = state.waiting[waiter] else { return .some(nil) }
                    guard case .early(let answer) = waiting.answer else {
                        state.waiting[waiter]?.answer = .awaited(continuation)
                        return nil
                    }
                    state.waiting[waiter] = nil
                    return answer
                }
                if let early { continuation.resume(returning: early) }
                // The handler below may have run before there was anything to abandon.
                if Task.isCancelled { abandon(waiter, timedOut: false) }
            }
        } onCancel: {
            abandon(waiter, timedOut: false)
        }
    }

    /// Takes a caller out of the queue, unless it has been answered this instant.
    func abandon(_ waiter: WaiterID, timedOut: Bool) {
        let continuation = state.withLock { state -> CheckedContinuation<LeaseAnswer?, Never>? in
            guard let waiting = state.waiting[waiter], case .awaited(let continuation) = waiting.answer,
                state.machine.cancel(waiter, timedOut: timedOut, now: .now()) != nil
            else { return nil }
            state.waiting[waiter] = nil
            return continuation
        }
        continuation?.resume(returning: nil)
    }

    /// An answer that nobody wants any more.
    private func giveBack(_ answer: LeaseAnswer) {
        switch answer {
        case .warm(let grant): perform(state.withLock { $0.machine.release(grant.container, keep: true, now: .now()) })
        case .start(let plan): abort(plan)
        case .wait, .refused: break
        }
    }

    /// A container that is ready. It may have died an instant ago; then its lease is given back and the call fails before it began.
    private func lease(
        _ id: ContainerID, _ container: SandboxContainer?, _ capacity: InvocationRecord.Capacity
    ) throws(InvocationError) -> ContainerLease {
        guard let container else {
            perform(state.withLock { $0.machine.release(id, keep: false, now: .now()) })
            throw InvocationError(.startFailed, "The container ended before the call began. Try again.")
        }
        return ContainerLease(id: id, container: container, level: .warm, capacity: capacity)
    }

    private static func timedOut(_ reason: CapacityWait?) -> InvocationError {
        switch reason {
        case .variablePrice:
            InvocationError(
                .variableCapacity,
                "No variable capacity was to be had for the account's bid in the call's time. Bid more, or try again later.")
        default:
            InvocationError(.deadlineExceeded, "The call's time was used up by waiting for capacity. Try again later.")
        }
    }
}

extension ContainerPool.State {
    /// Revisions remembered for starts ahead of calls. Beyond, those that hold nothing are forgotten.
    static let versionsMax = 8192

    mutating func remember(_ version: PinnedVersion) {
        if versions.count >= Self.versionsMax {
            let used = Set(held.values.compactMap { $0.version?.revision })
            versions = versions.filter { used.contains($0.key) }
        }
        versions[version.revision] = version
    }
}

extension InvocationRecord.Capacity {
    mutating func take(_ grant: ContainerGrant) {
        subPool = grant.subPool
        instance = grant.instance.number
        container = grant.container.number
        branch = .loaded
        affinity = grant.affinity
    }

    mutating func take(_ plan: StartPlan) {
        subPool = plan.subPool
        instance = plan.instance.number
        container = plan.container.number
        branch = plan.branch
        coldCause = plan.cause
        affinity = plan.affinity
    }
}

extension CapacityRefusal {
    /// What the caller is told, and what it or the operator can do.
    func error(_ version: PinnedVersion) -> InvocationError {
        switch self {
        case .noCapacity:
            InvocationError(.overloaded, "No capacity is free and the places to wait are taken. Try again later.")
        case .rejectedByPolicy:
            InvocationError(
                .rejectedByPolicy, "What is meant for this call is busy, and it is not to wait or to take other capacity. Try again later.")
        case .noPermission:
            InvocationError(
                .noPermission,
                "Account \(version.key.account) may not be given more capacity on this node. Ask the operator (wayside account set).")
        case .reservedConcurrency:
            InvocationError(.reservedConcurrency, "\(version.key.name) runs as often at once as is reserved for it.")
        case .affinity:
            InvocationError(
                .affinity, "The container that the call requires is gone, too small or not its account's. Call without requiring it.")
        case .variableCapacity:
            InvocationError(.variableCapacity, "No variable capacity is to be had for the account's bid. Bid more, or try again later.")
        }
    }
}
