public import EngineCore
internal import NIOCore
internal import Synchronization

// Containers are asked for, and connected when the launcher has made them:
//
//     asked for ──the launcher's reply──► launched ──descriptors taken over──► started
//         └── failed ──► nothing is left of it
extension SandboxHost {
    /// Starts a container for a function's version, from nothing to its own program or a runtime that is booting; its first call
    /// initialises it. A bundle without an executable `bootstrap` is no error here: the first call is told, as on Lambda.
    ///
    /// - Parameters:
    ///   - isNew: whether the instance is made too; both are asked for at once, and of a start that fails both are ended.
    ///   - bundle: the unpacked bundle, relative to the content folder.
    ///   - home: the event loop it is to be on (``SandboxContainer/home``); `nil`: the caller's.
    ///   - launched: called before `completion` unless the start has failed, on the container's event loop: the launcher has done its part.
    ///   - completion: called once, on the container's event loop, or before this returns. Fails with what the launcher says;
    ///     `invalidArgument` for an unknown runtime, and for a function with an allow-list where nobody serves its egress.
    public func startContainer(
        _ container: UInt64, in instance: UInt64, isNew: Bool, for version: PinnedVersion, bundle: String, at home: ObjectIdentifier?,
        launched: @escaping @Sendable (SandboxContainer) -> Void,
        completion: @escaping @Sendable (Result<SandboxContainer, SandboxError>) -> Void
    ) {
        startContainer(
            container, in: instance, isNew: isNew, for: version, bundle: bundle, at: home, { _ in }, launched: launched,
            completion: completion)
    }

    /// Starts a container as ``startContainer(_:in:isNew:for:bundle:at:launched:completion:)`` does.
    ///
    /// - Parameter adjust: changes what the launcher is asked for.
    func startContainer(
        _ container: UInt64, in instance: UInt64, isNew: Bool, for version: PinnedVersion, bundle: String,
        _ adjust: (inout ContainerSpecification) -> Void = { _ in }
    ) async throws(SandboxError) -> SandboxContainer {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<SandboxContainer, SandboxError>, Never>) in
            startContainer(
                container, in: instance, isNew: isNew, for: version, bundle: bundle, at: nil, adjust, launched: { _ in },
                completion: { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    private func startContainer(
        _ container: UInt64, in instance: UInt64, isNew: Bool, for version: PinnedVersion, bundle: String, at home: ObjectIdentifier?,
        _ adjust: (inout ContainerSpecification) -> Void, launched: @escaping @Sendable (SandboxContainer) -> Void,
        completion: @escaping @Sendable (Result<SandboxContainer, SandboxError>) -> Void
    ) {
        let completion: @Sendable (Result<SandboxContainer, SandboxError>) -> Void = { result in
            if case .failure = result, isNew { self.killInstance(instance) }
            completion(result)
        }
        do throws(SandboxError) {
            guard let manifest = manifest(for: version.runtime) else {
                throw SandboxError(.invalidArgument, "no runtime serves \(version.runtime)")
            }
            guard version.sandbox.egress.isNone || egress != nil else {
                throw SandboxError(.invalidArgument, "the function may connect to other hosts, and this node serves no egress")
            }
            let made = try makeContainer(container, in: instance, manifest, at: home)
            var (specification, environment) = try made.adopt(version)
            specification.stages = [.prepare, .assign]
            specification.bundle = bundle
            adjust(&specification)
            try start(made, specification, isNew: isNew, launched: launched) { result in completion(result.map { made }) }
            // While the launcher works.
            made.prepareInitialisation(version, environment)
        } catch {
            completion(.failure(error))
        }
    }

    /// Makes an instance and a spare container in it, which has yet to boot.
    func prepare(_ container: SandboxContainer, _ specification: ContainerSpecification) async throws(SandboxError) {
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, SandboxError>, Never>) in
            do throws(SandboxError) {
                try start(container, specification, isNew: true, launched: { _ in }, completion: { continuation.resume(returning: $0) })
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        try result.get()
    }

    /// Asks the launcher for a container, and before that for its instance if that is new, without waiting in between.
    ///
    /// - Throws: when there is no launcher to be asked; nothing is called then.
    private func start(
        _ container: SandboxContainer, _ specification: ContainerSpecification, isNew: Bool,
        launched: @escaping @Sendable (SandboxContainer) -> Void, completion: @escaping @Sendable (Result<Void, SandboxError>) -> Void
    ) throws(SandboxError) {
        let instance = specification.instance
        // Known before they exist, so that no end can come too early to be reported; unless the launcher has gone since the
        // container was made for it.
        let current = try connection { state in
            guard state.connection === container.owner.launcher else { return }
            state.containers[container.id] = container
            if isNew { state.instances.insert(instance) }
        }
        guard current === container.owner.launcher else {
            throw SandboxError(.disconnected, "the launcher has been restarted; try again")
        }
        let instanceFailure = FirstError()
        if isNew {
            current.createInstance(instance, limits: SandboxLimits()) { result in
                guard case .failure(let error) = result else { return }
                self.state.withLock { _ = $0.instances.remove(instance) }
                instanceFailure.set(error)
            }
        }
        // Answered behind the instance, whose failure is the reason for this one's.
        current.startContainer(specification) { result in
            // A container that is only prepared has no bundle yet.
            if case .success = result, specification.stages.contains(.assign) { container.mounted() }
            self.take(result.mapError { instanceFailure.value ?? $0 }, container, launched: launched, completion: completion)
        }
    }

    /// The launcher's answer to a start. On its connection's thread.
    private func take(
        _ result: Result<StartedContainer, SandboxError>, _ container: SandboxContainer,
        launched: @escaping @Sendable (SandboxContainer) -> Void, completion: @escaping @Sendable (Result<Void, SandboxError>) -> Void
    ) {
        switch result {
        case .failure(let error):
            if let reason = container.stillbirth(of: error) {
                container.beStillborn(reason)
                return container.eventLoop.execute {
                    launched(container)
                    completion(.success(()))
                }
            }
            state.withLock { _ = $0.containers.removeValue(forKey: container.id) }
            container.eventLoop.execute { completion(.failure(error)) }
        case .success(let started):
            guard let descriptors = started.descriptors else {
                container.kill()
                let error = SandboxError(.stepFailed, "the launcher gave no descriptors for container \(container.id)")
                return container.eventLoop.execute { completion(.failure(error)) }
            }
            // Before the container is connected, which takes a moment in which another may be started.
            container.eventLoop.execute { launched(container) }
            container.attach(descriptors).whenComplete { attached in
                completion(
                    attached.mapError { error in
                        container.kill()
                        return SandboxError(.stepFailed, "the descriptors of container \(container.id) cannot be used (\(error))")
                    })
            }
        }
    }
}

/// An error that a later one is the consequence of.
private final class FirstError: Sendable {
    private let error = Mutex<SandboxError?>(nil)

    var value: SandboxError? { error.withLock { $0 } }

    func set(_ value: SandboxError) { error.withLock { $0 = $0 ?? value } }
}
