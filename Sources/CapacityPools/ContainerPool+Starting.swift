internal import EngineCore
internal import Logging
internal import Sandboxing
internal import Synchronization

// Containers and instances are made, for a call or ahead of calls.
extension ContainerPool {
    func start(
        _ plan: StartPlan, _ call: LeaseCall, _ capacity: InvocationRecord.Capacity, wait: Duration,
        _ completion: @escaping LeaseCompletion
    ) {
        let version = call.request.function
        let bundle: String
        switch call.bundle {
        case .success(let path): bundle = path
        case .failure(let error):
            abort(plan)
            return completion(.failure(error))
        }
        let began = EngineInstant.now()
        make(plan, version, bundle, at: call.home) { container in
            // From here on the next may start.
            let actions = self.state.withLock { state in
                if state.machine.contains(plan.container) { state.held[plan.container] = Held(container: container, version: version) }
                return state.machine.containerStarted(plan.container, home: container.home, now: .now())
            }
            self.perform(actions)
        } completion: { result in
            switch result {
            case .success(let container):
                completion(
                    .success(
                        ContainerLease(
                            id: plan.container, container: container, level: self.level(plan, version), capacity: capacity, wait: wait,
                            fetch: call.fetch, start: .now() - began)))
            case .failure(let error):
                self.abort(plan)
                completion(.failure(error))
            }
        }
    }

    /// Starts a container and has it initialise, so that its first call finds it as a later one would.
    func preload(_ plan: StartPlan, _ kind: ContainerClass) async {
        let version = state.withLock { $0.versions[kind.revision] }
        let scope = AffinityScope(function: kind.function, version: kind.version)
        do throws(InvocationError) {
            guard let version else { throw InvocationError(.versionNotHeld, "The version is not known here any more.") }
            let path = try await surroundings.bundle(version)
            let container = try await make(plan, version, path)
            state.withLock { state in
                if state.machine.contains(plan.container) { state.held[plan.container] = Held(container: container, version: version) }
            }
            let made = EngineInstant.now()
            guard await container.waitUntilInitialised() else {
                throw InvocationError(.startFailed, "FUNCTION_ERROR_INIT_FAILURE")
            }
            perform(
                state.withLock { state in
                    state.dedicatedFailures[scope] = nil
                    state.machine.noteInitialised(plan.container, in: .now() - made)
                    return state.machine.preloaded(plan.container, home: container.home, now: .now())
                })
        } catch {
            logger.warning(
                "a container could not be started ahead of calls", metadata: ["function": "\(kind.function.arn)", "error": "\(error)"])
            state.withLock { $0.noteDedicatedFailure(scope, error.message) }
            abort(plan)
        }
    }

    private func make(_ plan: StartPlan, _ version: PinnedVersion, _ bundle: String) async throws(InvocationError) -> SandboxContainer {
        typealias Made = Result<SandboxContainer, InvocationError>
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Made, Never>) in
            make(plan, version, bundle, at: nil, launched: { _ in }, completion: { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    /// - Parameters:
    ///   - home: where the container is to be, unless it is there already.
    ///   - launched: called before `completion` unless that fails.
    ///   - completion: called once, on the container's event loop or before this returns.
    private func make(
        _ plan: StartPlan, _ version: PinnedVersion, _ bundle: String, at home: ObjectIdentifier?,
        launched: @escaping @Sendable (SandboxContainer) -> Void,
        completion: @escaping @Sendable (Result<SandboxContainer, InvocationError>) -> Void
    ) {
        let made: @Sendable (Result<SandboxContainer, SandboxError>) -> Void = { result in
            completion(result.mapError { self.failure($0, of: plan, version) })
        }
        switch plan.kind {
        case .instance:
            guard let spare = state.withLock({ $0.held[plan.container]?.container }) else {
                return completion(
                    .failure(InvocationError(.startFailed, "The prepared instance ended before it was used. Try again.")))
            }
            spare.assign(to: version, bundle: bundle) { result in
                if case .success = result { launched(spare) }
                made(result.map { spare })
            }
        case .newInstance, .container:
            host.startContainer(
                plan.container.number, in: plan.instance.number, isNew: plan.kind == .newInstance, for: version, bundle: bundle, at: home,
                launched: launched, completion: made)
        }
    }

    /// A start has failed.
    private func failure(_ error: SandboxError, of plan: StartPlan, _ version: PinnedVersion) -> InvocationError {
        logger.error("a container could not be started", metadata: ["function": "\(version.arn)", "error": "\(error)"])
        switch plan.kind {
        // The host has ended what there was; if that was nothing, no event will say so.
        case .newInstance: handle(.instanceEnded(plan.instance.number))
        // An instance that has served and now fails to take one more container gets no further call; what runs in it finishes.
        case .container: perform(state.withLock { $0.machine.unhealthy(plan.instance, now: .now()) })
        case .instance: break
        }
        return InvocationError(.startFailed, "The sandbox could not be set up (\(error.step ?? error.code.rawValue)). Try again.")
    }

    /// Gives back what a start was planned to use. Nothing of it needs to exist.
    func abort(_ plan: StartPlan) {
        host.killContainer(plan.container.number)
        perform(
            state.withLock { state in
                state.held[plan.container] = nil
                return state.machine.containerEnded(plan.container, now: .now())
            })
    }

    func boot(_ instance: InstanceID, spare: ContainerID, runtime: String) async {
        let began = EngineInstant.now()
        do throws(SandboxError) {
            let container = try await host.bootInstance(instance.number, spare: spare.number, runtime: runtime)
            let actions = state.withLock { state in
                let now = EngineInstant.now()
                if state.machine.contains(spare) { state.held[spare] = Held(container: container, version: nil) }
                if let pool = state.machine.subPool(of: instance) { state.sizer.booted(pool, in: now - began) }
                return state.machine.instanceReady(instance, home: container.home, now: now)
            }
            perform(actions)
        } catch {
            logger.warning("an instance of the warming pool failed to boot", metadata: ["runtime": "\(runtime)", "error": "\(error)"])
            host.killInstance(instance.number)
            perform(state.withLock { $0.machine.instanceEnded(instance, now: .now()) })
        }
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

extension ContainerPool.State {
    /// Failures remembered; those of the functions that came first stay.
    static let dedicatedFailuresMax = 1024

    mutating func noteDedicatedFailure(_ scope: AffinityScope, _ message: String) {
        guard dedicatedFailures.count < Self.dedicatedFailuresMax || dedicatedFailures[scope] != nil else { return }
        dedicatedFailures[scope] = message
    }
}
