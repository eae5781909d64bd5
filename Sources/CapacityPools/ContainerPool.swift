public import EngineCore
public import Logging
public import Sandboxing
internal import Synchronization

/// The capacity of this node: the state machine in a lock, and the hands that do what it says.
///
/// Every operation locks, makes one transition, unlocks, and then performs the returned actions. A lease is had inside
/// ``withLease(for:deadline:_:)``, so it comes back on every path: answer, function error, time-out, abort, crash. Only the warm
/// path, which runs without a task, takes and gives back by itself.
public final class ContainerPool: Sendable {
    /// How often ``run()`` looks for idle containers whose time is over, spares to be made and waiting callers whose deadline has passed.
    public static let tick = Duration.milliseconds(50)

    private struct Waiting {
        let continuation: CheckedContinuation<LeaseAnswer?, Never>
        let ticket: UInt64
        let deadline: EngineInstant
    }

    private struct Held {
        let container: SandboxContainer
        /// `nil` while spare.
        var version: PinnedVersion?
    }

    private struct State {
        var machine: PoolStateMachine
        var waiting: [WaiterID: Waiting] = [:]
        var held: [ContainerID: Held] = [:]
        var nextTicket: UInt64 = 0
    }

    private struct Boot: Sendable {
        let instance: InstanceID
        let spare: ContainerID
        let runtime: String
    }

    /// Runtimes that `warmingTargets` names and this node does not have. Nothing is kept ready for them.
    public let unservedWarmingTargets: [String]

    private let state: Mutex<State>
    private let host: SandboxHost
    private let bundle: @Sendable (PinnedVersion) async throws(InvocationError) -> String
    private let logger: Logger
    private let boots: (stream: AsyncStream<Boot>, continuation: AsyncStream<Boot>.Continuation)

    /// - Parameter bundle: makes sure that the version's bundle is here and answers its path relative to the content folder.
    public init(
        configuration: PoolConfiguration, host: SandboxHost, logger: Logger,
        bundle: @escaping @Sendable (PinnedVersion) async throws(InvocationError) -> String
    ) {
        let names = Set(host.manifests.map(\.name))
        var served = configuration
        served.warmingTargets = configuration.warmingTargets.filter { names.contains($0.key) }
        unservedWarmingTargets = configuration.warmingTargets.keys.filter { !names.contains($0) }.sorted()
        state = Mutex(State(machine: PoolStateMachine(configuration: served)))
        self.host = host
        self.bundle = bundle
        self.logger = logger
        boots = AsyncStream.makeStream(of: Boot.self)
    }

    /// What a call of this version would find now: the input of its placement. O(runtimes).
    /// - Returns: `nil` when no runtime here can run it.
    public func availability(for version: PinnedVersion) -> PoolAvailability? {
        guard let kind = kind(of: version) else { return nil }
        return state.withLock { $0.machine.availability(kind) }
    }

    /// Whether a container of this version is idle. O(1).
    public func hasWarm(_ version: PinnedVersion) -> Bool {
        guard let kind = kind(of: version) else { return false }
        return state.withLock { $0.machine.hasWarm(kind) }
    }

    public var counts: PoolCounts { state.withLock { $0.machine.counts } }

    /// What is wrong with the books; `nil` if nothing. O(everything held).
    public func brokenInvariant() -> String? { state.withLock { $0.machine.brokenInvariant() } }

    /// The bundles that containers were started from. O(containers).
    public var digestsInUse: Set<ContentDigest> {
        state.withLock { state in Set(state.held.values.compactMap { $0.version?.codeDigest }) }
    }

    /// Takes nothing new and ends what is idle; what runs may finish.
    public func drain() {
        perform(state.withLock { $0.machine.drain() })
    }

    /// Ends what runs, for the time to drain is over; its calls are answered as the engine's doing.
    public func endAll() {
        perform(state.withLock { $0.machine.endAll() })
    }

    /// Ends the containers of a version that its owner has replaced or deleted.
    public func retire(_ version: PinnedVersion) {
        perform(state.withLock { $0.machine.retire(revision: version.revision) })
    }

    /// Runs `body` with a container of this version that serves nobody else meanwhile.
    ///
    /// - Parameters:
    ///   - deadline: no wait for capacity exceeds it.
    ///   - body: answers its value and whether the container may serve another call.
    /// - Throws: `overloaded` when there is neither room nor a place to wait, `startFailed`, `codeUnavailable`,
    ///   `deadlineExceeded`, `aborted` when the task was cancelled.
    public func withLease<Value: Sendable>(
        for version: PinnedVersion, deadline: EngineInstant,
        _ body: (ContainerLease) async -> (value: Value, keep: Bool)
    ) async throws(InvocationError) -> Value {
        let lease = try await acquire(version, deadline: deadline)
        let (value, keep) = await body(lease)
        giveBack(lease, keep: keep)
        return value
    }

    /// An idle container of this version, if there is one; to be given back exactly once.
    public func takeWarm(for version: PinnedVersion) -> ContainerLease? {
        guard let kind = kind(of: version) else { return nil }
        let home = host.currentHome
        let (id, container) = state.withLock { state -> (ContainerID?, SandboxContainer?) in
            guard let id = state.machine.leaseWarm(kind, home: home) else { return (nil, nil) }
            return (id, state.held[id]?.container)
        }
        return id.flatMap { try? lease($0, container) }
    }

    /// - Parameter keep: whether the container may serve another call.
    public func giveBack(_ lease: ContainerLease, keep: Bool) {
        perform(state.withLock { $0.machine.release(lease.id, keep: keep, now: .now()) })
    }
}

/// A container of the wanted version, and how it was come by.
public struct ContainerLease: Sendable {
    let id: ContainerID
    public let container: SandboxContainer
    public let level: StartLevel
    /// Waiting for capacity.
    public var wait = Duration.zero
    /// Fetching the bundle.
    public var fetch = Duration.zero
    /// Making instance and container.
    public var start = Duration.zero
}

// MARK: - Acquiring

extension ContainerPool {
    private func acquire(_ version: PinnedVersion, deadline: EngineInstant) async throws(InvocationError) -> ContainerLease {
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
        let home = host.currentHome
        let (quick, warm, actions) = state.withLock { state in
            let (answer, actions) = state.machine.lease(kind, mayWait: false, home: home, now: asked)
            guard case .warm(let id) = answer else { return (answer, SandboxContainer?.none, actions) }
            return (answer, state.held[id]?.container, actions)
        }
        perform(actions)
        if case .warm(let id) = quick { return try lease(id, warm) }
        var answer = quick
        if case .noCapacity = answer { answer = try await wait(for: kind, deadline: deadline) }
        let wait = EngineInstant.now() - asked
        switch answer {
        case .warm(let id):
            var lease = try lease(id, state.withLock { $0.held[id]?.container })
            lease.wait = wait
            return lease
        case .start(let plan):
            var lease = try await start(plan, version)
            lease.wait = wait
            return lease
        case .wait, .noCapacity:
            throw InvocationError(.overloaded, "No capacity is free and the places to wait are taken. Try again later.")
        }
    }

    /// A warm container. It may have died an instant ago; then its lease is given back and the call fails before it began.
    private func lease(_ id: ContainerID, _ container: SandboxContainer?) throws(InvocationError) -> ContainerLease {
        guard let container else {
            perform(state.withLock { $0.machine.release(id, keep: false, now: .now()) })
            throw InvocationError(.startFailed, "The container ended before the call began. Try again.")
        }
        return ContainerLease(id: id, container: container, level: .warm)
    }

    private func wait(for kind: ContainerClass, deadline: EngineInstant) async throws(InvocationError) -> LeaseAnswer {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<LeaseAnswer?, Never>) in
                let (answer, actions) = state.withLock { state in
                    let (answer, actions) = state.machine.lease(kind, mayWait: true, now: .now())
                    if case .wait(let waiter) = answer {
                        state.waiting[waiter] = Waiting(continuation: continuation, ticket: ticket, deadline: deadline)
                    }
                    return (answer, actions)
                }
                if case .wait = answer {} else { continuation.resume(returning: answer) }
                perform(actions)
                // The handler below may have run before there was anything to abandon.
                if Task.isCancelled { abandon { $0.ticket == ticket } }
            }
        } onCancel: {
            abandon { $0.ticket == ticket }
        }
        if let answer {
            if !Task.isCancelled { return answer }
            giveBack(answer)
        }
        if Task.isCancelled { throw InvocationError(.aborted, "The client has gone.") }
        throw InvocationError(.deadlineExceeded, "The call's time was used up by waiting for capacity. Try again later.")
    }

    /// Takes callers out of the queue, unless they have been answered this instant. O(waiting).
    private func abandon(_ isMeant: (Waiting) -> Bool) {
        let gone = state.withLock { state in
            let found = state.waiting.filter { isMeant($0.value) }.map(\.key).filter { state.machine.cancel($0) }
            return found.compactMap { state.waiting.removeValue(forKey: $0)?.continuation }
        }
        for continuation in gone { continuation.resume(returning: nil) }
    }

    private func giveBack(_ answer: LeaseAnswer) {
        switch answer {
        case .warm(let id): perform(state.withLock { $0.machine.release(id, keep: true, now: .now()) })
        case .start(let plan): abort(plan)
        case .wait, .noCapacity: break
        }
    }

    private func kind(of version: PinnedVersion) -> ContainerClass? {
        guard let manifest = host.manifest(for: version.runtime) else { return nil }
        return ContainerClass(
            account: version.key.account, revision: version.revision, runtime: manifest.name, memory: version.memory,
            usesSpares: version.sandbox.fitsPreparedContainers)
    }
}

// MARK: - Starting

extension ContainerPool {
    private func start(_ plan: StartPlan, _ version: PinnedVersion) async throws(InvocationError) -> ContainerLease {
        let began = EngineInstant.now()
        do throws(InvocationError) {
            let path = try await bundle(version)
            let fetched = EngineInstant.now()
            let container = try await make(plan, version, path)
            let actions = state.withLock { state in
                if state.machine.contains(plan.container) { state.held[plan.container] = Held(container: container, version: version) }
                return state.machine.containerStarted(plan.container, home: container.home, now: .now())
            }
            perform(actions)
            return ContainerLease(
                id: plan.container, container: container, level: level(plan, version), fetch: fetched - began,
                start: EngineInstant.now() - fetched)
        } catch {
            abort(plan)
            throw error
        }
    }

    private func make(_ plan: StartPlan, _ version: PinnedVersion, _ bundle: String) async throws(InvocationError) -> SandboxContainer {
        do throws(SandboxError) {
            switch plan.kind {
            case .instance:
                guard let spare = state.withLock({ $0.held[plan.container]?.container }) else { break }
                try await spare.assign(to: version, bundle: bundle)
                return spare
            case .newInstance:
                do throws(SandboxError) {
                    return try await host.startContainer(plan.container.number, inNew: plan.instance.number, for: version, bundle: bundle)
                } catch {
                    // The host has ended what there was; if that was nothing, no event will say so.
                    perform(state.withLock { $0.machine.instanceEnded(plan.instance, now: .now()) })
                    throw error
                }
            case .container:
                return try await host.startContainer(plan.container.number, in: plan.instance.number, for: version, bundle: bundle)
            }
        } catch {
            logger.error("a container could not be started", metadata: ["function": "\(version.arn)", "error": "\(error)"])
            throw InvocationError(.startFailed, "The sandbox could not be set up (\(error.step ?? error.code.rawValue)). Try again.")
        }
        throw InvocationError(.startFailed, "The prepared instance ended before it was used. Try again.")
    }

    /// Gives back what a start was planned to use. Nothing of it needs to exist.
    private func abort(_ plan: StartPlan) {
        host.killContainer(plan.container.number)
        perform(
            state.withLock { state in
                state.held[plan.container] = nil
                return state.machine.containerEnded(plan.container, now: .now())
            })
    }

    private func level(_ plan: StartPlan, _ version: PinnedVersion) -> StartLevel {
        switch plan.kind {
        case .container: .container
        case .instance: .instance
        case .newInstance: isBooted(version) ? .boot : .zygote
        }
    }

    /// Whether a new container's runtime is executed anew, with nothing prepared for it.
    private func isBooted(_ version: PinnedVersion) -> Bool {
        switch host.manifest(for: version.runtime)?.kind {
        case .execEarly: true
        case .fork: version.sandbox.isolation == .exec
        case .execLate, nil: false
        }
    }
}

// MARK: - What the machine wants done, and what the host reports

extension ContainerPool {
    private func perform(_ actions: [PoolAction]) {
        for action in actions {
            switch action {
            case .bootInstance(let instance, let spare, let runtime):
                boots.continuation.yield(Boot(instance: instance, spare: spare, runtime: runtime))
            case .killInstance(let id):
                host.killInstance(id.number)
            case .killContainer(let id):
                host.killContainer(id.number)
            case .resume(let waiter, let answer):
                state.withLock { $0.waiting.removeValue(forKey: waiter) }?.continuation.resume(returning: answer)
            }
        }
    }

    /// To be called with every event of the host, from any thread.
    public func handle(_ event: SandboxHostEvent) {
        let now = EngineInstant.now()
        switch event {
        case .containerEnded(let number):
            let id = ContainerID(number: number)
            perform(
                state.withLock { state in
                    state.held[id] = nil
                    return state.machine.containerEnded(id, now: now)
                })
        case .instanceEnded(let number):
            perform(state.withLock { $0.machine.instanceEnded(InstanceID(number: number), now: now) })
            forgetUnknown()
        case .launcherLost:
            // The host has said so; every instance has been reported as ended before.
            break
        case .launcherReady:
            perform(state.withLock { $0.machine.tick(now: now) })
        }
    }

    /// Lets go of containers that went with their instance.
    private func forgetUnknown() {
        state.withLock { state in
            for id in state.held.keys where !state.machine.contains(id) { state.held[id] = nil }
        }
    }

    /// Keeps the warming pool at its target, ends what has been idle too long and answers who has waited too long, until cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            for await boot in boots.stream {
                group.addTask { await self.perform(boot) }
            }
            group.cancelAll()
        }
    }

    private func perform(_ boot: Boot) async {
        do throws(SandboxError) {
            let container = try await host.bootInstance(boot.instance.number, spare: boot.spare.number, runtime: boot.runtime)
            let actions = state.withLock { state in
                if state.machine.contains(boot.spare) { state.held[boot.spare] = Held(container: container, version: nil) }
                return state.machine.instanceReady(boot.instance, home: container.home, now: .now())
            }
            perform(actions)
        } catch {
            logger.warning("an instance of the warming pool failed to boot", metadata: ["runtime": "\(boot.runtime)", "error": "\(error)"])
            host.killInstance(boot.instance.number)
            perform(state.withLock { $0.machine.instanceEnded(boot.instance, now: .now()) })
        }
    }

    private func keepTime() async {
        while (try? await Task.sleep(for: Self.tick)) != nil {
            let now = EngineInstant.now()
            let (actions, hasWaiting) = state.withLock { ($0.machine.tick(now: now), !$0.waiting.isEmpty) }
            perform(actions)
            if hasWaiting { abandon { $0.deadline <= now } }
        }
        boots.continuation.finish()
    }
}
