internal import CapacityPools
public import EngineCore
internal import Placement
internal import RegionForwarding
internal import Sandboxing
internal import Synchronization

extension InvocationRouter {
    /// An idle container that a call has taken.
    struct WarmLease: Sendable {
        let lease: ContainerLease
        let reason: DecisionReason
        let decided: EngineInstant
    }

    /// Brings one invocation to its answer without a task, as long as it needs none: for a caller on an event loop, the shortest way there
    /// is. It decides what ``invoke(_:)`` would.
    ///
    /// - Parameter completion: called once, on any thread or before this returns. A failure is an engine error; the function's own are
    ///   results. Either way one record has been left.
    /// - Precondition: the call wants no particular container, and its result whole.
    /// - Returns: what ends the call when its client goes away.
    public func begin(
        _ request: InvocationRequest, completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) -> @Sendable () -> Void {
        precondition(request.affinity == nil && request.results == nil, "Such calls need a task from the beginning.")
        // Counted before the check: who drains sets the mark first and looks at the count then.
        underWay.add(1, ordering: .relaxed)
        let call = InPlaceCall(self, completion: completion)
        call.begin(request)
        return { call.cancel() }
    }

    /// Takes the container that is idle here for the call, if there is one and the call may run here: an idle container is always
    /// preferred.
    func leaseWarm(for request: InvocationRequest) -> WarmLease? {
        guard !isDraining, !isTooLong(request.function), let lease = pool.takeWarm(for: request.function) else { return nil }
        let inputs = PlacementInputs(
            role: role, origin: request.origin, hasWarmContainer: true, worth: .start, functionMemory: request.function.memory,
            freeMemory: .zero, freeSlots: 0, hasRegions: hasRegions, reachableRegions: [])
        let decision = policy.decide(inputs)
        guard case .run = decision else {
            pool.giveBack(lease, ContainerPool.GiveBack(keep: true))
            return nil
        }
        return WarmLease(lease: lease, reason: decision.reason, decided: .now())
    }

    /// The container has answered; it is given back.
    ///
    /// - Throws: why there is no result. An error that `surelyNotStarted` has left no record: the call is to be decided anew.
    func conclude(_ warm: WarmLease, _ answer: ContainerAnswer, _ request: InvocationRequest) throws(InvocationError) -> InvocationResult {
        pool.giveBack(warm.lease, ContainerPool.GiveBack(answer))
        var record = InvocationRecord(request, node: node)
        record.decision = .run
        record.reason = warm.reason
        record.site = node
        record.spans.decide = (warm.decided - request.arrival).inMilliseconds
        do throws(InvocationError) {
            let result = try conclude(&record, warm.lease, answer, request)
            countArrival(of: request)
            return result
        } catch {
            if error.surelyNotStarted { throw error }
            countArrival(of: request)
            throw leave(record, error, request)
        }
    }

    /// The way to a region, if a call can go there without a task: the version need not be sent first, nor the call to a second one.
    func clientInPlace(_ region: String, for function: PinnedVersion) -> RegionClient? {
        guard hedging == nil || !function.placement.isIdempotent, let client = regions?.client(region), client.holds(function) else {
            return nil
        }
        return client
    }

    /// A call that came when everything else had ended.
    func refuseDraining(_ course: InvocationCourse) -> InvocationError {
        var record = course.record
        (record.decision, record.reason) = (.refuse, .draining)
        return leave(record, InvocationError(.draining, "This node is shutting down. Send the call to another one."), course.request)
    }
}
