public import EngineCore
internal import Foundation
internal import Logging
internal import Sandboxing
internal import Synchronization

// Warm containers that outlive this process, and those that an earlier one has left.
//
//     drained ──park──► the launcher holds them ──(a new process)──► adopted: idle here, with their routing values
//                             └── nobody comes in time ──► ended
extension ContainerPool {
    /// What the launcher keeps beside a parked container.
    private struct Label: Codable {
        var function: FunctionKey
        var version: FunctionVersion
        var revision: String
        var subPool: SubPoolID?
        /// On the monotonic clock, which goes on from one process to the next.
        var idleSinceNanoseconds: Int64
        var bornAtNanoseconds: Int64
        var stateBytes: Int
    }

    /// Hands what is idle to the launcher, to be adopted by this node's next process. To be called when no call is under way.
    ///
    /// - Returns: the routing values of what was parked, and how much that is.
    public func park(for time: Duration) async -> (rows: [SavedAffinityRow], count: Int) {
        let (labels, rows) = state.withLock { state in
            let rows = state.machine.savedAffinity(now: .now())
            let labels = state.machine.parkable().compactMap { item -> (container: UInt64, label: [UInt8])? in
                guard let version = state.held[item.container]?.version else { return nil }
                let label = Label(
                    function: version.key, version: version.version, revision: version.revision, subPool: item.subPool,
                    idleSinceNanoseconds: item.idleSince.nanoseconds, bornAtNanoseconds: item.bornAt.nanoseconds,
                    stateBytes: item.state.bytes)
                return (try? JSONEncoder().encode(label)).map { (item.container.number, [UInt8]($0)) }
            }
            return (labels, rows)
        }
        guard !labels.isEmpty else { return ([], 0) }
        do throws(SandboxError) {
            let parked = try await host.park(labels, keepFor: time)
            return (rows.filter { parked.contains($0.containerNumber) }, parked.count)
        } catch {
            logger.warning("warm containers could not be parked", metadata: ["error": "\(error)"])
            return ([], 0)
        }
    }

    /// Starts nothing ahead of calls before ``adopt(_:_:)`` has been called: what is adopted counts.
    public func awaitAdoption() { state.withLock { $0.machine.holdBack() } }

    /// Takes over what an earlier process of this node has parked. To be called once, when the launcher is ready.
    ///
    /// - Parameters:
    ///   - rows: the routing values of then.
    ///   - version: finds a version that is still held here, by its revision; what has none is ended.
    public func adopt(
        _ rows: [SavedAffinityRow], _ version: @Sendable (FunctionKey, FunctionVersion, _ revision: String) -> PinnedVersion?
    ) async {
        state.withLock { $0.endedEarly = [] }
        defer {
            perform(
                state.withLock { state in
                    state.endedEarly = nil
                    return state.machine.goAhead(now: .now())
                })
        }
        let adopted = await host.adopt { label, _ in
            guard let label = try? JSONDecoder().decode(Label.self, from: Data(label)) else { return nil }
            return version(label.function, label.version, label.revision)
        }
        guard !adopted.isEmpty else { return }
        var actions: [PoolAction] = []
        var unknown: [UInt64] = []
        state.withLock { state in
            let now = EngineInstant.now()
            for item in adopted {
                guard let kind = kind(of: item.version), let label = try? JSONDecoder().decode(Label.self, from: Data(item.label)) else {
                    unknown.append(item.container.id)
                    continue
                }
                let id = ContainerID(number: item.container.id)
                guard state.endedEarly?.contains(id) != true else { continue }
                state.held[id] = Held(container: item.container, version: item.version)
                state.remember(item.version)
                actions += state.machine.adopt(
                    AdoptedContainer(
                        container: item.container.id, instance: item.instance, kind: kind, subPool: label.subPool,
                        home: item.container.home,
                        idleSince: EngineInstant(nanoseconds: label.idleSinceNanoseconds),
                        bornAt: EngineInstant(nanoseconds: label.bornAtNanoseconds), state: ByteCount(label.stateBytes)), now: now)
            }
            // A value whose container is not here any more is told so.
            state.machine.restoreAffinity(rows, now: now)
        }
        perform(actions)
        for container in unknown { host.killContainer(container) }
        logger.notice("warm containers of before the restart serve on", metadata: ["containers": "\(adopted.count)"])
    }
}
