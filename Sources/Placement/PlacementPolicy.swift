// Run here, forward, or refuse?
//
// What. Local capacity at a POP is scarce, a region's is not. So a POP keeps its slots for what is called often enough to
// find a container warm, and forwards the rest *even while slots are free*: a rare function that took a free slot would
// start cold, and would push out one that is called all the time. The rules, first match wins:
//
//     more hops than permitted                  refuse   hop_limit     a loop; shown even if the call could run
//     the container the call wants is here      run      affinity      its state is here, busy or not
//     a container is idle here                  run      warm          costs no capacity, no start and no hop; unless runs take too long
//     region, or forwarded to here: fits        run      region        nothing is ever forwarded twice
//                                   does not    refuse   overloaded    the sender decides again without this node
//     larger or longer than it may be here      forward  profile
//     is to wait for its dedicated containers   run      frequent      or to be refused while they are busy: the pool does either
//     no more for this account here         ┐             no_permission
//     a run here is dearer than the way     │             profile
//     not worth a container here            ├ forward     uncommon
//     its code is not here                  │             code_not_current
//     no memory or slot free                │             no_capacity
//     a start takes longer than the way     ┘             started_behind
//     otherwise                                 run       frequent
//
// What a function is worth here is weighed by the ``CapacityMarket``, or by ``DecayedFrequency`` where the operator prefers thresholds;
// these rules only say what follows from it.
//
//     forward, but no region is left to try: it runs if it fits (no_region_configured, region_outage when none is
//     reachable, regions_declined when all that are have refused this call), else overloaded. Where permission or the call's own terms
//     stand in the way, the pool is asked all the same: it alone knows whether the call waits, and says why not. What would run, were its
//     code here, is refused with code_not_current.
//
// Among the reasons to forward, the one that lasts longest is named: a profile outlives a habit, a habit outlives a full
// pool. So `no_capacity` counts exactly the calls that more capacity would have kept here.
//
// Refused. A score that weighs all inputs: nobody could say why one call went where it did, and PLACE-04 wants one reason. What is weighed
// is weighed in one unit, seconds of somebody's waiting, and only then the rules apply. "Run while there is room": the pool fills with
// what is called once. Forwarding by a peer to a third site: it needs loop detection to be correct instead of as a safety net.
//
// Source: admission by frequency is TinyLFU's argument (G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient
// Cache Admission Policy", ACM Transactions on Storage 13(4), 2017): a newcomer has to earn its place.

import EngineCore

/// The one function that decides where an invocation goes. It is pure: equal inputs give equal decisions.
public struct PlacementPolicy: Hashable, Sendable {
    public let configuration: PlacementConfiguration

    public init(configuration: PlacementConfiguration) {
        self.configuration = configuration
    }

    /// - Complexity: O(number of reachable regions).
    public func decide(_ inputs: PlacementInputs) -> PlacementDecision {
        if inputs.origin.hops > configuration.hopLimit { return .refuse(.hopLimit) }
        if inputs.hasAffinity { return .run(RunPlan(reason: .affinity)) }
        let mayForward = inputs.role == .pop && inputs.origin.hops == 0 && inputs.hasRegions
        if inputs.hasWarmContainer, !(mayForward && configuration.isTooLong(inputs.run)) { return .run(RunPlan(reason: .warm)) }
        if inputs.role == .region || inputs.origin.hops > 0 { return runIfItFits(.region, inputs) }

        guard let reason = reasonToForward(inputs) else { return .run(RunPlan(reason: .frequent)) }
        if let region = inputs.reachableRegions.first(where: { !inputs.excludedRegions.contains($0) }) {
            return .forward(ForwardPlan(reason: reason, region: region))
        }
        guard inputs.hasRegions else { return runIfItFits(.noRegionConfigured, inputs) }
        return runIfItFits(inputs.reachableRegions.isEmpty ? .regionOutage : .regionsDeclined, inputs)
    }

    /// Why a POP would rather not run this; `nil` if it would.
    private func reasonToForward(_ inputs: PlacementInputs) -> ForwardPlan.Reason? {
        if inputs.functionMemory > configuration.largestFunctionMemory { return .profile }
        if configuration.isTooLong(inputs.run) { return .profile }
        if inputs.keepsToDedicated { return nil }
        if !inputs.isPermitted { return .noPermission }
        switch inputs.worth {
        case .tooLong: return .profile
        case .uncommon: return .uncommon
        case .start, .startBehind, .noRoom: break
        }
        if !inputs.isCodeHere { return .codeNotCurrent }
        if inputs.hasTerms { return nil }
        if inputs.worth == .noRoom || !fits(inputs) { return .noCapacity }
        return inputs.worth == .startBehind ? .startedBehind : nil
    }

    private func runIfItFits(_ reason: RunPlan.Reason, _ inputs: PlacementInputs) -> PlacementDecision {
        let isForThePool = inputs.origin.hops == 0 && (!inputs.isPermitted || inputs.hasTerms)
        guard fits(inputs) || isForThePool else { return .refuse(.overloaded) }
        return inputs.isCodeHere ? .run(RunPlan(reason: reason)) : .refuse(.codeNotCurrent)
    }

    private func fits(_ inputs: PlacementInputs) -> Bool {
        inputs.freeSlots > 0 && inputs.functionMemory <= inputs.freeMemory
            && inputs.functionMemory <= configuration.largestFunctionMemory
    }
}

extension InvocationRequest.Origin {
    /// Hops made so far: 0 for a client's call, at least 1 for a peer's, whatever the peer claims.
    fileprivate var hops: Int {
        switch self {
        case .client: 0
        case .peer(_, let hops): max(1, hops)
        }
    }
}
