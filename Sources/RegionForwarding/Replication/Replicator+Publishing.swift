public import EngineCore
import Logging

extension Replicator {
    /// How often a change that waits looks whether regions have gone out of reach.
    private static let lookInterval = Duration.milliseconds(100)

    /// Returns when enough regions hold the versions of one function that a change is about to make.
    ///
    /// - Throws: `codeNotCurrent` when too few do in ``ReplicationConfiguration/timeout``, with what each region said; `aborted`.
    public func replicate(_ versions: [PinnedVersion]) async throws(InvocationError) {
        guard configuration.breadth > 0, let key = versions.first?.key else { return }
        let order = ReplicaChoice.order(key, among: regions.names)
        guard !order.isEmpty, regions.mayForward(for: key.account) else { return }
        let held = versions.map { Set(regions.holders(revision: $0.revision)) }.reduce(Set(order)) { $0.intersection($1) }
        var round = ReplicationRound(order: order, held: held, configuration: configuration)
        let deadline = EngineInstant.now() + configuration.timeout
        let failure: String? = await withTaskGroup(of: (region: String, refusal: String?)?.self) { group in
            defer { group.cancelAll() }
            group.addTask { await Self.pause() }
            while !Task.isCancelled {
                let (reachable, now) = (Set(regions.reachableRegions()), EngineInstant.now())
                switch round.step(reachable: reachable, now: now) {
                case .done: return nil
                case .wait: break
                case .send(let names):
                    for name in names { group.addTask { (name, await self.send(versions, to: name, until: deadline)) } }
                    continue
                }
                guard now < deadline else { return round.failure(reachable: reachable) }
                guard let ended = await group.next() else { break }
                if let ended {
                    round.ended(ended.region, refusal: ended.refusal, now: .now())
                } else {
                    group.addTask { await Self.pause() }
                }
            }
            return "The client has gone."
        }
        if let failure { throw InvocationError(.codeNotCurrent, failure) }
        if round.held.count < round.breadth {
            logger.notice(
                "a change is held by fewer regions than configured; the others follow",
                metadata: ["function": "\(key.arn)", "held": "\(round.held.count)", "breadth": "\(round.breadth)"])
        }
    }

    private static func pause() async -> (region: String, refusal: String?)? {
        // Cancellation ends the sleep early, and the group with it.
        try? await Task.sleep(for: lookInterval)
        return nil
    }

    /// - Returns: why the region does not hold them; `nil`: it does.
    private func send(_ versions: [PinnedVersion], to name: String, until deadline: EngineInstant) async -> String? {
        guard let client = regions.client(name) else { return "it is not configured any more" }
        do throws(InvocationError) {
            for version in versions { try await client.bring(version, until: deadline) }
            return nil
        } catch {
            return error.message
        }
    }
}
