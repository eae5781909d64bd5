internal import CapacityPools
internal import EngineCore
internal import Placement
internal import RegionForwarding
internal import Sandboxing
internal import Synchronization

// What a call is worth here, found out once, and what is decided of it, as often as something new is known.
//
// At a node that may forward, the market weighs the call (``CapacityMarket``), or two thresholds do where the operator prefers them. All
// other nodes run what fits, and nothing needs to be weighed.
extension InvocationRouter {
    /// What a call is worth here.
    struct Weighed {
        var worth = Worth.start
        var run: Double?
        /// The market knows of its arrival.
        var isAnnounced = false
        /// A container is idle for it, or ready sooner than any other way.
        var isReady = false
        var basis: PlacementBasis?
    }

    /// Whether there is anywhere to forward to, reachable or not.
    var hasRegions: Bool { regions?.isEmpty == false }

    func weigh(_ request: InvocationRequest, _ selection: RegionSelection?) -> Weighed {
        guard role == .pop, hasRegions, let selection, case .client = request.origin else { return Weighed(worth: .uncommon) }
        let roundTrip = selection.choice.scores.first { $0.region == selection.region ?? selection.reachable.first }?.roundTrip
        switch policy.configuration.policy {
        case .market: return weighByMarket(request, selection, roundTrip: roundTrip)
        case .frequency: return weighByFrequency(request, roundTrip: roundTrip)
        }
    }

    private func weighByMarket(_ request: InvocationRequest, _ selection: RegionSelection, roundTrip: Double?) -> Weighed {
        let version = request.function
        let isCodeHere = code.isHere(version)
        let run = limitedRun(of: version)
        let mayStart =
            isCodeHere && selection.region != nil && version.memory <= policy.configuration.largestFunctionMemory
            && !policy.configuration.isTooLong(run) && !pool.hasTerms(for: request) && !isBoundHere(request)
        let question = ContainerPool.Question(roundTrip: roundTrip.map { .milliseconds($0) }, mayStart: mayStart)
        guard let found = pool.weigh(request, question) else { return Weighed(worth: .uncommon) }
        let basis = PlacementBasis(
            policy: .market, timesSeen: found.timesSeen, gain: found.gain.isFinite ? found.gain * 1000 : nil,
            isFrequent: found.worth != .uncommon, latency: version.placement.latency, coldStart: found.coldStart.map { $0 * 1000 },
            roundTrip: roundTrip, runHere: found.runHere.map { $0 * 1000 }, runThere: found.runThere.map { $0 * 1000 },
            memory: version.memory,
            freeMemory: found.here.freeMemory, freeSlots: found.here.freeSlots, isCodeHere: isCodeHere, price: found.price)
        return Weighed(
            worth: found.worth, run: run, isAnnounced: true, isReady: found.hasWarm, basis: basis)
    }

    private func weighByFrequency(_ request: InvocationRequest, roundTrip: Double?) -> Weighed {
        let version = request.function
        let (calls, isFrequent) = frequency.withLock { frequency in
            (frequency.callsPerHalfLife(of: version.key, at: request.arrival), frequency.isFrequent(version.key, at: request.arrival))
        }
        let here = pool.availability(for: version)
        let runs = pool.runTimes(of: version)
        let basis = PlacementBasis(
            policy: .frequency, callsPerHalfLife: calls, isFrequent: isFrequent, latency: version.placement.latency,
            roundTrip: roundTrip, runHere: runs.here.map { $0 * 1000 }, runThere: runs.there.map { $0 * 1000 }, memory: version.memory,
            freeMemory: here?.freeMemory ?? .zero, freeSlots: here?.freeSlots ?? 0, isCodeHere: code.isHere(version))
        return Weighed(worth: isFrequent ? .start : .uncommon, run: runs.here ?? runs.there, basis: basis)
    }

    /// Whether runs of a version have turned out longer than they may be here while a region can take them. O(1).
    func isTooLong(_ version: PinnedVersion) -> Bool {
        guard hasRegions, role == .pop else { return false }
        return policy.configuration.isTooLong(limitedRun(of: version))
    }

    /// How long a run is expected to take, in seconds, where that is limited; otherwise nobody asks.
    private func limitedRun(of version: PinnedVersion) -> Double? {
        guard policy.configuration.longestRun != nil else { return nil }
        let runs = pool.runTimes(of: version)
        return runs.here ?? runs.there
    }

    /// Whether a call that was to run in an idle container is not to wait here if another call has just taken that: a region can have it.
    /// What only the pool can say, because the call has terms or wants a certain container, is left to the pool.
    func mayLeave(_ request: InvocationRequest, _ decision: PlacementDecision, _ selection: RegionSelection?) -> Bool {
        guard case .run(let plan) = decision, plan.reason == .warm, role == .pop, case .client = request.origin, selection?.region != nil
        else { return false }
        return request.affinity == nil && !pool.hasTerms(for: request)
    }

    /// - Parameter isFull: this node has said that it has no capacity for the call.
    func inputs(
        _ request: InvocationRequest, _ weighed: Weighed, _ selection: RegionSelection?, isFull: Bool
    ) -> PlacementInputs {
        let here = isFull ? nil : pool.availability(for: request.function)
        let hasWarm = !isFull && weighed.isReady || weighed.worth != .tooLong && here?.hasWarm ?? false
        return PlacementInputs(
            role: role, origin: request.origin, hasWarmContainer: hasWarm,
            hasAffinity: !isFull && isBoundHere(request), worth: weighed.worth, run: weighed.run,
            isCodeHere: weighed.basis?.isCodeHere ?? true, functionMemory: request.function.memory,
            freeMemory: here?.freeMemory ?? .zero, freeSlots: here?.freeSlots ?? 0, isPermitted: here?.isPermitted ?? true,
            hasTerms: !isFull && pool.hasTerms(for: request), keepsToDedicated: !isFull && pool.keepsToDedicated(request.function),
            hasRegions: hasRegions, reachableRegions: selection?.reachable ?? [], excludedRegions: selection?.declined ?? [])
    }
}
