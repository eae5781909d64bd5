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
        let lease = try await lease(for: request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly)
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
        return try? ready(grant.container, container, capacity)
    }

    public func giveBack(_ lease: ContainerLease, _ giveBack: GiveBack) {
        perform(
            state.withLock { state in
                if let took = giveBack.initialise { state.machine.noteInitialised(lease.id, in: took) }
                return state.machine.release(lease.id, keep: giveBack.keep, state: giveBack.state, ran: giveBack.ran, now: .now())
            })
    }

    /// Asks for a container for this request without a task, as ``withLease(for:isAnnounced:isWarmOnly:_:)`` does with one.
    ///
    /// - Parameter completion: called once, on any thread or before this returns; a lease is to be given back exactly once.
    /// - Returns: what ends the wait when the client goes away. `nil`, and `completion` will not be called, when it takes a task: the
    ///   launcher is being started, or the version's bundle is not here.
    public func lease(
        for request: InvocationRequest, isAnnounced: Bool, isWarmOnly: Bool,
        completion: @escaping @Sendable (Result<ContainerLease, InvocationError>) -> Void
    ) -> (@Sendable () -> Void)? {
        guard host.isReady, let bundle = surroundings.bundleHere(request.function) else { return nil }
        let call = LeaseCall(request, bundle: .success(bundle), home: host.currentHome)
        ask(call, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly, completion)
        return { self.leave(call) }
    }

    // MARK: -

    private func lease(
        for request: InvocationRequest, isAnnounced: Bool, isWarmOnly: Bool
    ) async throws(InvocationError) -> ContainerLease {
        let (asked, home) = (EngineInstant.now(), host.currentHome)
        do throws(SandboxError) {
            // At once, unless the launcher is being started.
            try await host.waitUntilReady()
        } catch {
            throw InvocationError(.startFailed, "The launcher of this node does not start. Look at the node's log.")
        }
        let began = EngineInstant.now()
        let bundle: Result<String, InvocationError>
        // Only a start needs it: its lack may do no harm.
        do throws(InvocationError) {
            bundle = .success(try await surroundings.bundle(request.function))
        } catch {
            bundle = .failure(error)
        }
        let call = LeaseCall(request, bundle: bundle, fetch: .now() - began, home: home, asked: asked)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<ContainerLease, InvocationError>, Never>) in
                ask(call, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            leave(call)
        }
        return try result.get()
    }

    /// A container that is ready. It may have died an instant ago; then its lease is given back and the call fails before it began.
    func ready(
        _ id: ContainerID, _ container: SandboxContainer?, _ capacity: InvocationRecord.Capacity
    ) throws(InvocationError) -> ContainerLease {
        guard let container else {
            perform(state.withLock { $0.machine.release(id, keep: false, now: .now()) })
            throw InvocationError(.startFailed, "The container ended before the call began. Try again.")
        }
        return ContainerLease(id: id, container: container, level: .warm, capacity: capacity)
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
