import EngineCore
import Logging
import NIOCore
import Synchronization

extension Replicator {
    /// Does what is due, and looks for what is missing, until the task is cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tick() }
            for await _ in signals {
                while let (key, version) = takeDue() {
                    group.addTask {
                        await self.perform(key, version)
                        self.signal.yield()
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func takeDue() -> (Key, PinnedVersion)? {
        state.withLock { state in
            guard state.queue.underWayCount < configuration.tasksMax else { return nil }
            return state.queue.next(now: .now())
        }
    }

    /// Cancellation of the group ends it, and the signals with the task that reads them.
    private func tick() async {
        while !Task.isCancelled {
            if configuration.breadth > 0 { look() }
            signal.yield()
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: configuration.lookInterval)
        }
        signal.finish()
    }

    // MARK: - Looking

    /// Takes in the next versions, and begins anew when all were. O(``ReplicationConfiguration/versionsPerLook`` × regions), and
    /// O(versions) when it begins.
    func look(now: EngineInstant = .now()) {
        let isEmpty = state.withLock { $0.unseen.isEmpty }
        let all = isEmpty ? store.versions().filter { regions.mayForward(for: $0.key.account) }[...] : []
        let versions = state.withLock { state in
            if isEmpty { state.unseen = all }
            let versions = state.unseen.prefix(configuration.versionsPerLook)
            state.unseen = state.unseen.dropFirst(versions.count)
            return versions
        }
        let reachable = Set(regions.reachableRegions(now: now))
        // What a region holds that has told nothing yet is not known.
        let telling = regions.names.filter { reachable.contains($0) && regions.client($0)?.hasTold ?? false }
        guard !telling.isEmpty else { return }
        for version in versions { look(at: version, reachable, telling, now: now) }
    }

    private func look(at version: PinnedVersion, _ reachable: Set<String>, _ telling: [String], now: EngineInstant) {
        let order = ReplicaChoice.order(version.key, among: regions.names)
        let members = ReplicaChoice.members(order, breadth: breadth(of: version, now: now), isReachable: reachable.contains)
        let holders = Set(regions.holders(revision: version.revision))
        let missing = members.filter { !holders.contains($0) }
        for region in missing where telling.contains(region) && store.hasCode(version.codeDigest) {
            add(.bring(revision: version.revision, region: region), version)
        }
        // Nobody is released before those who replace him hold it.
        guard missing.isEmpty else { return }
        for region in telling where holders.contains(region) && !members.contains(region) {
            guard regions.client(region)?.isQuiet(version.revision, for: configuration.quiet, now: now) ?? false else { continue }
            add(.release(revision: version.revision, region: region), version)
        }
    }

    // MARK: - Doing

    private func perform(_ key: Key, _ version: PinnedVersion) async {
        var rest = Duration.zero
        do throws(InvocationError) {
            switch key {
            case .bring(_, let region):
                rest = configuration.repeatMin
                // Both: it may be superseded while it waits here, and while it is sent.
                if store.isCurrent(version) {
                    try await regions.client(region)?.bring(version, until: .now() + configuration.timeout)
                }
                superseded([version])
            case .release(_, let region):
                rest = configuration.quiet
                let isReleased = try await regions.client(region)?.release(
                    version, quiet: configuration.quiet, until: .now() + configuration.timeout)
                // The region was called of it lately. A version that is current is looked at again; nobody looks at one that is not.
                if isReleased == false, !store.isCurrent(version) {
                    return state.withLock { $0.queue.postponed(key, due: .now() + configuration.quiet) }
                }
            case .fetch: try await fetch(version)
            }
            state.withLock { $0.queue.done(key, rest: rest, now: .now()) }
        } catch {
            if case .fetch = key {
                logger.warning("the code of a version cannot be had yet", metadata: ["version": "\(version.arn)", "error": "\(error)"])
            }
            state.withLock { $0.queue.failed(key, jitter: .random(in: 0...1), now: .now()) }
        }
    }

    /// Unpacks the package again that is here, or gets it from a region: first from those known to hold it.
    private func fetch(_ version: PinnedVersion) async throws(InvocationError) {
        guard !store.hasCode(version.codeDigest) else { return }
        var last: InvocationError
        do throws(InvocationError) {
            return try await store.restore(version.codeDigest)
        } catch {
            last = error
        }
        let holders = Set(regions.holders(revision: version.revision))
        let order = ReplicaChoice.order(version.key, among: regions.reachableRegions())
        for region in order.filter(holders.contains) + order.filter({ !holders.contains($0) }) {
            guard let client = regions.client(region) else { continue }
            do throws(InvocationError) {
                let package = try await client.fetchPackage(of: version, until: .now() + client.configuration.supplyTimeout)
                try await store.keep(Array(package.readableBytesView), version.codeDigest)
                logger.notice("code was fetched", metadata: ["version": "\(version.arn)", "region": "\(region)"])
                return
            } catch {
                last = error
            }
        }
        throw last
    }
}
