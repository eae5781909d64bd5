public import EngineCore
internal import Logging
internal import NIOCore
internal import Synchronization

/// A container of an earlier process that serves calls again.
public struct AdoptedContainer: Sendable {
    public let container: SandboxContainer
    public let instance: UInt64
    public let version: PinnedVersion
    /// What it was parked with.
    public let label: [UInt8]
}

// Warm containers survive a restart of this process; decision 0008.
extension SandboxHost {
    /// How long the launcher keeps what is parked, at the least and at the most.
    public static let parkedTimes = Duration.seconds(1) ... .seconds(ContainerParking.secondsMax)
    /// Bytes of a label.
    public static let parkedLabelMax = ContainerParking.labelBytesMax

    /// What waits to be adopted: known when `launcherReady` is reported, and unchanged until this connection ends. Whoever gives numbers
    /// to instances and containers begins above its highest.
    public var parked: ParkedContainers { state.withLock { $0.parked } }

    /// Takes what an earlier process has parked; to be asked once, after ``waitUntilReady()``. What is not asked for is ended by the
    /// launcher when its time is over.
    ///
    /// - Parameter version: makes the version again of which the label was made; `nil`, or one of another runtime, ends the container.
    /// - Returns: those that take calls now, as any other. The instances of the others are ended, unless they hold one of these.
    public func adopt(_ version: (_ label: [UInt8], _ container: UInt64) -> PinnedVersion?) async -> [AdoptedContainer] {
        let (connection, count) = state.withLock { ($0.connection, $0.parked.count) }
        guard let connection, count > 0 else { return [] }
        var adopted: [AdoptedContainer] = []
        var seen: Set<UInt64> = []
        for _ in 0..<count {
            guard let kept = await next(connection) else { break }
            seen.insert(kept.message.instance)
            let version = version(kept.message.label, kept.message.container)
            if let container = await take(kept, from: connection, version) { adopted.append(container) }
        }
        for instance in seen.subtracting(adopted.map(\.instance)) {
            // Nobody has heard of it.
            state.withLock { _ = $0.instances.remove(instance) }
            connection.postKillInstance(instance)
        }
        logger.notice("adopted containers of an earlier life", metadata: ["parked": "\(count)", "adopted": "\(adopted.count)"])
        return adopted
    }

    private func next(_ connection: LauncherConnection) async -> KeptContainer? {
        do throws(SandboxError) {
            return try await connection.request(.adopt).kept
        } catch {
            logger.warning("what is parked cannot be adopted: \(error.message)")
            return nil
        }
    }

    private func take(
        _ kept: KeptContainer, from connection: LauncherConnection, _ version: PinnedVersion?
    ) async -> AdoptedContainer? {
        guard let version, let manifest = manifests.first(where: { $0.name == kept.message.runtime }),
            manifest.identifiers.contains(version.runtime), version.sandbox.egress.isNone || egress != nil,
            let container = try? makeContainer(kept.message.container, in: kept.message.instance, manifest, at: nil),
            container.owner.launcher === connection
        else {
            kept.descriptors.close()
            connection.postKillContainer(kept.message.container)
            return nil
        }
        let isCurrent = state.withLock { state in
            // Unless the connection has ended, and with it the container.
            guard state.connection === connection else { return false }
            state.containers[container.id] = container
            state.instances.insert(kept.message.instance)
            return true
        }
        guard isCurrent else {
            kept.descriptors.close()
            return nil
        }
        do {
            try await container.resume(kept, for: version).get()
        } catch {
            logger.warning("container \(container.id) cannot be used any more: \(error)")
            container.kill()
            return nil
        }
        return AdoptedContainer(container: container, instance: kept.message.instance, version: version, label: kept.message.label)
    }

    /// Leaves containers to the launcher, for the next process on this host; to be called at the end of a drain. When the host then ends,
    /// the launcher lives on until they have been adopted or their time is over.
    ///
    /// Each is reported as ended, whether it could be parked or not. Their instances end for this process when the host does.
    ///
    /// - Parameters:
    ///   - containers: with what the next process has to know of each, at most ``parkedLabelMax`` bytes.
    ///   - time: how long the launcher keeps them from now on; within ``parkedTimes``, whole seconds.
    /// - Returns: those that are parked. The others are ended: what has a call, is not initialised, has ended, has a longer label, or whose
    ///   runtime is in the middle of something.
    /// - Throws: `invalidArgument` for a time out of range; `unreachable` when there is no launcher, and nothing to be parked then.
    @discardableResult
    public func park(
        _ containers: [(container: UInt64, label: [UInt8])], keepFor time: Duration
    ) async throws(SandboxError) -> Set<UInt64> {
        guard Self.parkedTimes.contains(time) else {
            throw SandboxError(.invalidArgument, "containers are parked for \(Self.parkedTimes), not for \(time)")
        }
        guard state.withLock({ $0.connection != nil }) else {
            throw SandboxError(.unreachable, "the launcher is being started; there is nothing to be parked")
        }
        let limit = EngineInstant.now() + configuration.startTimeout
        var parked: Set<UInt64> = []
        for (id, label) in containers {
            guard let container = state.withLock({ $0.containers[id] }) else { continue }
            let left = limit - .now()
            if label.count <= Self.parkedLabelMax, left > .zero,
                await container.park(label: label, seconds: UInt32(time.components.seconds), within: left)
            {
                // Known before its end is reported, after which nobody needs its instance here.
                state.withLock { _ = $0.parkedInstances.insert(container.owner.instance) }
                parked.insert(id)
                containerEnded(id)
            } else {
                container.kill()
            }
        }
        logger.notice("parked containers for the next life", metadata: ["given": "\(containers.count)", "parked": "\(parked.count)"])
        return parked
    }
}
