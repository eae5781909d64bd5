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
            if decision.reason == .codeNotCurrent { code.want(course.request.function) }
            switch course.take(decision, mayLeave: mayLeave(course.request, decision, course.selection), now: .now()) {
            case .decideAnew: continue
            case .step(.run(let isAnnounced, let isWarmOnly)):
                if let call = course.forwarded {
                    course.forwarded = nil
                    pool.forwardedWithdrawn(call)
                }
                return .run(isAnnounced: isAnnounced, isWarmOnly: isWarmOnly)
            case .step(.forward(let region)):
                if course.forwarded == nil, weighed.isAnnounced { course.forwarded = pool.forwardedBegan(course.request.function) }
                return .forward(region: region)
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
                throw leave(course.record, course.error(of: reason), course.request)
            }
        }
    }

    /// A step has failed: returns if the call is to be decided anew.
    ///
    /// - Parameter isCancelled: whether the client has gone.
    /// - Throws: the error that ends the call; its record has been left.
    func settle(
        _ error: InvocationError, after step: InvocationCourse.Step, _ course: inout InvocationCourse, isCancelled: Bool
    ) throws(InvocationError) {
        guard course.settle(error, after: step, node: node, isCancelled: isCancelled, now: .now()) else {
            throw leave(course.record, error, course.request)
        }
        guard case .forward(let region) = step else { return }
        // The record tells it; a line for each call would drown the log when a region is down.
        logger.debug(
            "a region did not answer a call, which is tried elsewhere", metadata: ["region": "\(region)", "error": "\(error)"])
    }

    /// A call has its answer: those who count forwarded calls are told.
    func countEnd(of course: InvocationCourse) {
        if let forwarded = course.forwarded { pool.forwardedEnded(forwarded, by: course.record.remote) }
    }
}
