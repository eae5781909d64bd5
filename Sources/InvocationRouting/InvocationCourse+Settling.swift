// From decision to step, and from a step's failure to the next decision.
//
//     decided ──take──► run ─────┬─ no capacity, no permission: as if nothing were free ───────────────┐
//        ▲        │              ├─ its idle container was taken: the same, here only if no region can ┤
//        │        │              ├─ its start failed: the same again, `restartsMax` times ─────────────┤
//        │        │              └─ its code is not here after all: as if it never had been ───────────┤
//        │        ├────► forward ┬─ surely not started: without that region ───────────────────────────┤
//        │        │              └─ may have run, idempotent: the same, `rerunsMax` times ─────────────┤
//        │        └────► refused                                                                       │
//        └─────────────────────────────────────────────────────────────────────────────────────────────┘
//
// Any other failure is the call's end.
//
// Values without clock, network or pool, so that every step can meet every failure in a test.

internal import EngineCore
internal import Placement
internal import RegionForwarding

extension InvocationCourse {
    /// How often a call is begun again when its container or start failed before the handler began.
    static let restartsMax = 2
    /// How often a call of an idempotent function is sent on after it may have run in a region that was lost.
    static let rerunsMax = 2

    /// What follows from a decision.
    enum Turn: Equatable {
        case step(Step)
        case decideAnew
        case refuse(RefusalReason)
    }

    /// A decision has been made of the call.
    ///
    /// - Parameter mayLeave: whether a call that is to run in an idle container may go to a region if that has just been taken.
    mutating func take(_ decision: PlacementDecision, mayLeave: Bool, now: EngineInstant) -> Turn {
        record.decision = decision.kind
        record.reason = decision.reason
        began = now
        switch decision {
        case .run:
            let isAnnounced = weighed?.isAnnounced == true || restarts > 0 || hasLeft
            return .step(.run(isAnnounced: isAnnounced, isWarmOnly: !hasLeft && mayLeave))
        case .forward(let plan):
            record.regions = selection?.choice
            return .step(.forward(region: plan.region))
        case .refuse(.overloaded) where isFull && refusal == nil:
            // It has only been said that nothing is idle.
            isFull = false
            return .decideAnew
        case .refuse(let reason): return .refuse(reason)
        }
    }

    /// A step has failed: rules out what has been tried.
    ///
    /// - Parameters:
    ///   - node: this one.
    ///   - isCancelled: whether the client has gone.
    /// - Returns: whether the call is to be decided anew; otherwise the error is its end.
    mutating func settle(_ error: InvocationError, after step: Step, node: String, isCancelled: Bool, now: EngineInstant) -> Bool {
        switch step {
        case .run(_, let isWarmOnly) where (error.code == .overloaded || error.code == .noPermission) && !isFull:
            isFull = true
            if isWarmOnly { hasLeft = true } else { refusal = error }
        case .run where error.code == .startFailed && restarts < Self.restartsMax && !isCancelled:
            restarts += 1
        case .run where error.code == .codeUnavailable && weighed?.basis?.isCodeHere == true:
            // It was believed to be here. A region may have it.
            weighed?.basis?.isCodeHere = false
            record.placement?.isCodeHere = false
        case .run: return false
        case .forward(let region):
            record.note(error, at: region, since: began, now: now, request)
            guard !isCancelled, request.mayGoElsewhere(after: error, record, now: now) else { return false }
            excluded.insert(region)
            return true
        }
        record.note(error, at: node, since: began, now: now, request)
        return true
    }

    /// What the call is told if it is refused here.
    func error(of reason: RefusalReason) -> InvocationError {
        switch reason {
        case .overloaded:
            let isCutOff = selection?.reachable.isEmpty ?? false
            if isCutOff, case .client = request.origin, refusal?.code ?? .overloaded == .overloaded {
                return InvocationError(.noRegion, "No region can be reached, and no capacity is free here. Try again later.")
            }
            return refusal ?? InvocationError(.overloaded, "No capacity is free here, and no region can take the call. Try again later.")
        case .codeNotCurrent:
            return InvocationError(
                .codeNotCurrent,
                "The code of \(request.function.arn) is not here yet, and no region can take the call. Try again in a moment.")
        case .hopLimit:
            return InvocationError(.hopLimit, "The call has been forwarded as often as permitted. Check the peers' configuration.")
        }
    }
}

extension InvocationRequest {
    /// Whether a call that has failed at another node may go elsewhere: it surely did not begin, or its owner has declared that to run it
    /// twice does no more than to run it once (PLACE-17).
    ///
    /// - Parameter record: has the failure already.
    func mayGoElsewhere(after error: InvocationError, _ record: InvocationRecord, now: EngineInstant) -> Bool {
        guard results?.hasBegun != true else { return false }
        if error.surelyNotStarted { return true }
        let mayHaveRun = (record.tries ?? []).count { $0.stage == .afterSend || $0.stage == .midResult }
        return function.placement.isIdempotent && (error.code == .regionFailed || error.code == .launcherLost)
            && mayHaveRun <= InvocationCourse.rerunsMax && now < deadline
    }
}
