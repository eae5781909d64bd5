internal import CapacityPools
internal import EngineCore
internal import Logging
internal import Placement
internal import RegionForwarding

// The two steps of the loop that every call goes through. Neither waits for anything.
extension InvocationRouter {
    /// Decides what to do next with a call. O(regions).
    ///
    /// - Throws: why it is refused; its record has been left.
    func next(_ course: inout InvocationCourse) throws(InvocationError) -> InvocationCourse.Step {
        while true {
            // An old version is served from here alone; why no region took the newest stays as it was.
            if course.record.staleRevision == nil {
                course.selection = regions?.choose(for: course.request.function, tried: course.excluded)
            } else {
                let reachable = course.selection?.reachable ?? []
                course.selection?.region = nil
                course.selection?.declined.formUnion(reachable)
            }
            let known = course.weighed
            let weighed =
                known ?? (course.record.staleRevision == nil ? weigh(course.request, course.selection) : Weighed(worth: .uncommon))
            let decision = policy.decide(inputs(course.request, weighed, course.selection, isFull: course.isFull))
            if known == nil {
                if course.record.staleRevision == nil { course.record.placement = weighed.basis }
                if decision.reason == .startedBehind {
                    pool.startBehind(course.request.function)
                    course.record.placement?.startsBehind = true
                }
                course.weighed = weighed
            }
            course.record.decision = decision.kind
            course.record.reason = decision.reason
            course.began = .now()
            if decision.reason == .codeNotCurrent { code.want(course.request.function) }
            switch decision {
            case .run(let plan):
                if let call = course.forwarded {
                    course.forwarded = nil
                    pool.forwardedWithdrawn(call)
                }
                return .run(
                    isAnnounced: weighed.isAnnounced || course.restarts > 0 || course.hasLeft,
                    isWarmOnly: !course.hasLeft && mayLeave(course.request, plan, course.selection))
            case .forward(let plan):
                course.record.regions = course.selection?.choice
                if course.forwarded == nil, weighed.isAnnounced { course.forwarded = pool.forwardedBegan(course.request.function) }
                return .forward(region: plan.region)
            case .refuse(.overloaded) where course.isFull && course.refusal == nil:
                // It has only been said that nothing is idle.
                course.isFull = false
            case .refuse(let reason):
                let function = course.request.function
                if reason == .codeNotCurrent, course.record.staleRevision == nil, let stale = code.stale(function) {
                    pool.reinstate(stale)
                    course.request = course.request.running(stale)
                    course.record.serve(stale)
                    course.weighed = nil
                    continue
                }
                if reason == .overloaded, course.refusal == nil { pool.countRefusal(of: function) }
                throw leave(course.record, refusal(reason, course), course.request)
            }
        }
    }

    /// A step has failed: rules out what has been tried, and returns if the call is to be decided anew.
    ///
    /// - Parameter isCancelled: whether the client has gone.
    /// - Throws: the error that ends the call; its record has been left.
    func settle(
        _ error: InvocationError, after step: InvocationCourse.Step, _ course: inout InvocationCourse, isCancelled: Bool
    ) throws(InvocationError) {
        switch step {
        case .run(_, let isWarmOnly) where (error.code == .overloaded || error.code == .noPermission) && !course.isFull:
            course.isFull = true
            if isWarmOnly { course.hasLeft = true } else { course.refusal = error }
            course.record.note(error, at: node, since: course.began, course.request)
        case .run where error.code == .startFailed && course.restarts < Self.restartsMax && !isCancelled:
            course.restarts += 1
            course.record.note(error, at: node, since: course.began, course.request)
        case .run where error.code == .codeUnavailable && course.weighed?.basis?.isCodeHere == true:
            // It was believed to be here. A region may have it.
            course.weighed?.basis?.isCodeHere = false
            course.record.placement?.isCodeHere = false
            course.record.note(error, at: node, since: course.began, course.request)
        case .forward(let region):
            course.record.note(error, at: region, since: course.began, course.request)
            guard !isCancelled, mayGoElsewhere(course.request, after: error, course.record) else { fallthrough }
            // The record tells it; a line for each call would drown the log when a region is down.
            logger.debug(
                "a region did not answer a call, which is tried elsewhere", metadata: ["region": "\(region)", "error": "\(error)"])
            course.excluded.insert(region)
        default:
            throw leave(course.record, error, course.request)
        }
    }

    /// A call has its answer: those who count forwarded calls are told.
    func countEnd(of course: InvocationCourse) {
        if let forwarded = course.forwarded { pool.forwardedEnded(forwarded, by: course.record.remote) }
    }

    /// What a call is told that is refused here.
    private func refusal(_ reason: RefusalReason, _ course: InvocationCourse) -> InvocationError {
        switch reason {
        case .overloaded:
            let isCutOff = course.selection?.reachable.isEmpty ?? false
            if isCutOff, case .client = course.request.origin, course.refusal?.code ?? .overloaded == .overloaded {
                return InvocationError(.noRegion, "No region can be reached, and no capacity is free here. Try again later.")
            }
            return course.refusal
                ?? InvocationError(.overloaded, "No capacity is free here, and no region can take the call. Try again later.")
        case .codeNotCurrent:
            return InvocationError(
                .codeNotCurrent,
                "The code of \(course.request.function.arn) is not here yet, and no region can take the call. Try again in a moment.")
        case .hopLimit:
            return InvocationError(.hopLimit, "The call has been forwarded as often as permitted. Check the peers' configuration.")
        }
    }
}
